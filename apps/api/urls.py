"""/api/v1/ for machines, and the two probes for whoever runs the process."""

from django.urls import path

from apps.api import views

app_name = "api"

urlpatterns = [
    path("api/v1/status", views.OverallStatus.as_view(), name="status"),
    path("api/v1/clients/<str:number>/status", views.ClientStatus.as_view(), name="client_status"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
]
