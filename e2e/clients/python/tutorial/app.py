"""The app of the Flask-OIDC tutorial for Cognito, on the flask-oidc 2.x of today.

The paths and the names of the settings are the tutorial's. Where 2.x wants something else,
a comment says so. Flask serves it over TLS; see newTutorial in python_test.go.
"""
import os
from urllib.parse import urlencode

from flask import Flask, redirect, session
from flask_oidc import OpenIDConnect

app = Flask(__name__)
app.config.update(
    SECRET_KEY=os.environ["SECRET_KEY"],
    OIDC_CLIENT_SECRETS=os.environ["CLIENT_SECRETS"],
    OIDC_ID_TOKEN_COOKIE_SECURE=False,
    OIDC_ID_TOKEN_COOKIE_TTL=28800,
    # 2.x would listen on /authorize, which is not registered at the pool. It also has no
    # OIDC_REQUIRE_VERIFIED_EMAIL any more and does not start with it.
    OIDC_CALLBACK_ROUTE="/oidc_callback",
    COGNITO_UI_BASE_URL=os.environ["DOMAIN"],
    COGNITO_UI_CLIENT_ID=os.environ["CLIENT_ID"],
    COGNITO_UI_LOGOUT_REDIRECT=os.environ["BASE_URL"] + "/",
)

# 2.x has its own /logout, which does not end the pool's session; the prefix moves it away.
oidc = OpenIDConnect(app, prefix="/oidc")


def may_enter(email):
    """Stands for what an app knows about its users."""
    return email is not None


@app.route("/")
def home():
    return "Everybody may read this."


@app.route("/hello")
@oidc.require_login
def hello():
    email = oidc.user_getfield("email")
    if not may_enter(email):
        return "This is not for you.", 403
    return f"Only {email} may read this."


@app.route("/logout")
def logout():
    session.clear()  # oidc.logout() of 2.x only redirects
    query = urlencode(
        {"client_id": app.config["COGNITO_UI_CLIENT_ID"], "logout_uri": app.config["COGNITO_UI_LOGOUT_REDIRECT"]}
    )
    return redirect(f"{app.config['COGNITO_UI_BASE_URL']}/logout?{query}")
