"""
The page behind a letter's link: one button, which hands the token to the same address by POST.

A button, since some mail programs open every link to see what is there. The token stands behind ``#``, so it reaches
neither this server by GET nor its log, and it is taken out of the address at once.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape

_STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 15vh auto; padding: 0 1rem; color: #222; }
input, button { font: inherit; padding: .5rem .75rem; width: 100%; box-sizing: border-box; margin-top: .75rem; }
"""

_SCRIPT = """
const form = document.querySelector("form"), said = document.querySelector("output");
const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
if (!token) said.textContent = "This link is not complete. Open it from the letter again.";
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = { token, ...Object.fromEntries(new FormData(form)) };
  try {
    const answer = await fetch(location.pathname, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    const problem = answer.ok ? {} : await answer.json();
    said.textContent = answer.ok ? form.dataset.done : problem.errors?.[0].detail ?? problem.detail;
    if (answer.ok) form.querySelectorAll("input, button").forEach((part) => (part.disabled = true));
  } catch {
    said.textContent = "There was no answer. Try again.";
  }
});
"""


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


POLICY = (
    f"default-src 'none'; script-src {_hash(_SCRIPT)}; style-src {_hash(_STYLE)}; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's Content-Security-Policy: this script, this style, and nothing else."""

_NEW = """\
<label>New password, at least 8 characters
<input name="password" type="password" autocomplete="new-password" minlength="8" maxlength="128" required autofocus>
</label>
"""


def page(*, title: str, button: str, done: str, asks_password: bool = False) -> str:
    return f"""\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>
<style>{_STYLE}</style></head>
<body>
<h1>{escape(title)}</h1>
<form data-done="{escape(done)}">
{_NEW if asks_password else ""}<button>{escape(button)}</button>
</form>
<p><output role="status"></output></p>
<script>{_SCRIPT}</script>
</body>
</html>
"""
