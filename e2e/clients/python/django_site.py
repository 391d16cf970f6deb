"""What the apps for Django have in common: settings, the page, the server.

The page is that of webApp in chromium_test.go.
"""
import json
import os
import sys
from urllib.parse import urlencode

import django
from django.conf import settings
from django.core.management import call_command
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.urls import path
from django.utils.html import format_html, format_html_join

BASE_URL, ISSUER, DOMAIN = os.environ["BASE_URL"], os.environ["ISSUER"], os.environ["DOMAIN"]
CLIENT_ID, CLIENT_SECRET = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]


def configure(apps, middleware, backends, **more):
    """Sets Django up, with the database in the file that the environment names."""
    settings.configure(
        DEBUG=False,
        ALLOWED_HOSTS=["127.0.0.1"],
        SECRET_KEY=CLIENT_SECRET,
        ROOT_URLCONF="__main__",
        USE_TZ=True,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DATABASE"]}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
            *apps,
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            *middleware,
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        AUTHENTICATION_BACKENDS=backends,
        LOGIN_REDIRECT_URL="/",
        LOGOUT_REDIRECT_URL="/goodbye",
        LOGGING={
            "version": 1,
            "handlers": {"console": {"class": "logging.StreamHandler"}},
            "root": {"handlers": ["console"], "level": "INFO"},
        },
        **more,
    )
    django.setup()


def page(request, claims, actions):
    text = json.dumps(claims) if claims else "Nobody is signed in."
    form = '<form method="post" action="{}"><input type="hidden" name="csrfmiddlewaretoken" value="{}"><button>{}</button></form>'
    forms = format_html_join("", form, ((action, get_token(request), name) for name, action in actions.items()))
    return HttpResponse(format_html("<!doctype html><title>app</title><pre>{}</pre>{}", text, forms))


def goodbye(request):
    """Ends the pool's own session, as Cognito has it."""
    return redirect(DOMAIN + "/logout?" + urlencode({"client_id": CLIENT_ID, "logout_uri": BASE_URL + "/"}))


common = [path("goodbye", goodbye), path("favicon.ico", lambda request: HttpResponse(status=204))]


def serve():
    call_command("migrate", verbosity=0)
    call_command("runserver", sys.argv[1], use_reloader=False)
