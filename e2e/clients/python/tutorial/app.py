# The app of the tutorial "Flask-OIDC Authentication with AWS Cognito UI", changed only
# where flask-oidc 2.x refuses it or does nothing; each change says so.
from flask import Flask, redirect, session
from flask_oidc import OpenIDConnect

app = Flask(__name__)

app.config.update({
    'DEBUG': True,
    'TESTING': True,
    'SECRET_KEY': 'very_secret_key',
    'OIDC_ID_TOKEN_COOKIE_SECURE': False,
    # 2.x: 'OIDC_REQUIRE_VERIFIED_EMAIL': True ends the start; 2.x no longer checks it.
    'OIDC_ID_TOKEN_COOKIE_TTL': 28800,
    # 2.x: the callback is /authorize unless this says that it is the registered one.
    'OIDC_CALLBACK_ROUTE': '/oidc_callback',
    'OIDC_CLIENT_SECRETS': "client_secrets.json",    # In client_secrets.json is defined all URLs for Cognito UI
    'COGNITO_UI_BASE_URL': "{{AWS_DOMAIN_PREFIX}}",  # USED For logout
    'COGNITO_UI_CLIENT_ID': "{{AWS_APP_CLIENT_ID}}",  # USED For logout
    'COGNITO_UI_LOGOUT_REDIRECT': "https://127.0.0.1:5000/"   # USED For logout
})


# 2.x: has a /logout of its own, which would come before the one below, and does not end
# the pool's session. The prefix moves it.
oidc = OpenIDConnect(app, prefix="/oidc")


# Endpoint / is public
@app.route('/')
def root_index():
    return "Public Endpoint. No autentication is needed"


# Enpoint /hello is private.  "require_login"  is needed to protect it.
# Require_login will forward us to Cognito UI in case there is no oidc session created
@app.route('/hello')
@oidc.require_login
def index():
    # We can get email provieded on the authentication
    # Our app has to control permisions
    if has_permissions(oidc.user_getfield('email')):
        return "Private Endpoint. Logged in as: " + oidc.user_getfield('email')
    else:
        return "User has no permision to get the resource"


# Helper function to check permisons of user identified by Cogntio UI.
def has_permissions(user):
    # Check if user has permisions to do whathener
    return True


# Endpoint to logout from our app and from Cognito UI.
@app.route('/logout')
def logout():
    # clean App cookies
    session.clear()  # 2.x: oidc.logout() clears nothing, it returns a redirect
    # Logout from Cognito UI
    cognito_logout_uri = "/logout?client_id=" + app.config['COGNITO_UI_CLIENT_ID'] + "&logout_uri=" + app.config['COGNITO_UI_LOGOUT_REDIRECT']
    return redirect(app.config['COGNITO_UI_BASE_URL'] + cognito_logout_uri)


if __name__ == "__main__":
    # AWS Cognito UI only  works with SSL (pyOpenSSL is needed)
    app.run(ssl_context="adhoc")
