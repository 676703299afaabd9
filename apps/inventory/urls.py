from django.urls import path

from apps.inventory import views

urlpatterns = [
    path("inventory/products", views.Products.as_view()),
    path("inventory/products/<str:sku>", views.ProductView.as_view()),
    path("inventory/products/<str:sku>/stock", views.StockView.as_view()),
    path("inventory/products/<str:sku>/restock", views.Restock.as_view()),
    path("inventory/products/<str:sku>/adjust", views.Adjust.as_view()),
]
