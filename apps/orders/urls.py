from django.urls import path

from apps.orders import views

urlpatterns = [
    path("orders", views.OrdersView.as_view()),
    path("orders/<uuid:order_id>", views.OrderView.as_view()),
    path("orders/<uuid:order_id>/events", views.OrderEvents.as_view()),
    path("orders/<uuid:order_id>/timeline", views.Timeline.as_view()),
    path("orders/<uuid:order_id>/return", views.ReturnOrder.as_view()),
    path("orders/<uuid:order_id>/cancel", views.CancelOrder.as_view()),
    path("orders/<uuid:order_id>/ship", views.ShipOrder.as_view()),
    path("orders/<uuid:order_id>/deliver", views.DeliverOrder.as_view()),
]
