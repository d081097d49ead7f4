"""A Django application, run by `test_django.py` in processes of their own: one database, one configuration each."""
