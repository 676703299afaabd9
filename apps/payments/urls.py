from django.urls import path

from apps.payments import views

urlpatterns = [
    path("payments", views.Payments.as_view()),
    path("payments/<uuid:payment_id>", views.PaymentView.as_view()),
    path("payments/<uuid:payment_id>/refunds", views.Refunds.as_view()),
    path("payments/webhooks/<str:provider>", views.Webhooks.as_view()),
]
