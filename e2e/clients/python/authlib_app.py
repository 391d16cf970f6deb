"""An app with Authlib's client for Flask, as its documentation shows it.

The pages are those of app in clients_test.go.
"""
import os
import secrets
from urllib.parse import urlencode

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from flask import Flask, jsonify, redirect, session

BASE_URL, ISSUER = os.environ["BASE_URL"], os.environ["ISSUER"]
CLIENT_ID = os.environ["CLIENT_ID"]

app = Flask(__name__)
app.secret_key = os.environ["CLIENT_SECRET"]
oauth = OAuth(app)
oauth.register(
    "cognito",
    server_metadata_url=ISSUER + "/.well-known/openid-configuration",
    client_id=CLIENT_ID,
    client_secret=os.environ["CLIENT_SECRET"],
    client_kwargs={"scope": "openid email", "code_challenge_method": "S256"},
)
# Authlib checks aud only if it is configured to, and then iss must be configured too.
CLAIMS = {
    "iss": {"essential": True, "values": [ISSUER]},
    "aud": {"essential": True, "values": [CLIENT_ID]},
}
tokens = {}  # by session; a cookie is too small for them


@app.errorhandler(AuthlibBaseError)
def refused(err):
    app.logger.exception("refused")
    return err.error, 400


def current():
    return tokens.get(session.get("id"))


@app.route("/")
def index():
    return "hello"


@app.route("/hello")
def hello():
    if not current():
        return oauth.cognito.authorize_redirect(BASE_URL + "/callback")
    return jsonify(current()["userinfo"])  # the claims of the ID token


@app.route("/callback")
def callback():
    token = oauth.cognito.authorize_access_token(claims_options=CLAIMS)
    session["id"] = secrets.token_urlsafe()
    tokens[session["id"]] = token
    return redirect("/hello")


@app.route("/userinfo")
def userinfo():
    return jsonify(oauth.cognito.userinfo(token=current()))


def client():
    """The OAuth2Session behind the pages, for what Authlib has no page for."""
    return oauth.cognito._get_oauth_client(**oauth.cognito.load_server_metadata())


@app.route("/refresh")
def refresh():
    metadata = oauth.cognito.load_server_metadata()
    with client() as c:
        fresh = c.refresh_token(metadata["token_endpoint"], refresh_token=current()["refresh_token"])
    # A refreshed ID token belongs to no authorization request, and has no nonce.
    fresh["userinfo"] = oauth.cognito.parse_id_token(fresh, nonce=None, claims_options=CLAIMS)
    tokens[session["id"]].update(fresh)
    return jsonify(fresh["userinfo"])


@app.route("/revoke")
def revoke():
    metadata = oauth.cognito.load_server_metadata()
    with client() as c:
        answer = c.revoke_token(
            metadata["revocation_endpoint"], token=current()["refresh_token"], token_type_hint="refresh_token"
        )
    return "revoked", answer.status_code


@app.route("/logout")
def logout():
    session.clear()
    end = oauth.cognito.load_server_metadata()["end_session_endpoint"]
    return redirect(end + "?" + urlencode({"client_id": CLIENT_ID, "logout_uri": BASE_URL + "/"}))
