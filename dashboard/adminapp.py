from django.contrib.admin.apps import AdminConfig


class LedgerAdminConfig(AdminConfig):
    """Django's administration, on a site of ours."""

    default_site = "dashboard.adminsite.LedgerAdmin"
