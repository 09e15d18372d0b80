"""The endpoints of organizations, spaces, users, roles and quotas."""
