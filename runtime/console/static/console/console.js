// Unfold's menus open at a click on a heading, a span or a div. Here they also take the focus, and open at Enter or Space.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    for (const element of document.querySelectorAll("[x-on\\:click]")) {
        if (element.matches("a, button, input, select, textarea")) continue;
        element.tabIndex = 0;
        element.setAttribute("role", "button");
        if (element.classList.contains("material-symbols-outlined")) {
            element.setAttribute("aria-label", element.textContent.trim().replaceAll("_", " "));
        }
        element.addEventListener("keydown", (event) => {
            if (event.key !== "Enter" && event.key !== " ") return;
            event.preventDefault();
            element.click();
        });
    }
});

// A second click on the same button sends the same form again: the server does it once, and here it is not even sent.
document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.classList.contains("console-form")) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
});

// Coming back by the browser's own button shows the page as it was left.
window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form.console-form")) delete form.dataset.sent;
});
