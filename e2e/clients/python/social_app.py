"""An app with Python Social Auth for Django, as its documentation shows it, with two of its
backends: the one for OpenID Connect and the one for Cognito.
"""
from django_site import CLIENT_ID, CLIENT_SECRET, DOMAIN, ISSUER, common, configure, page, serve

configure(
    apps=["social_django"],
    middleware=["social_django.middleware.SocialAuthExceptionMiddleware"],
    backends=["social_core.backends.open_id_connect.OpenIdConnectAuth", "social_core.backends.cognito.CognitoOAuth2"],
    LOGIN_ERROR_URL="/refused",
    SOCIAL_AUTH_OIDC_OIDC_ENDPOINT=ISSUER,
    SOCIAL_AUTH_OIDC_KEY=CLIENT_ID,
    SOCIAL_AUTH_OIDC_SECRET=CLIENT_SECRET,
    SOCIAL_AUTH_OIDC_USE_PKCE=True,
    SOCIAL_AUTH_OIDC_IGNORE_DEFAULT_SCOPE=True,
    SOCIAL_AUTH_OIDC_SCOPE=["openid", "email"],
    SOCIAL_AUTH_COGNITO_POOL_DOMAIN=DOMAIN,
    SOCIAL_AUTH_COGNITO_KEY=CLIENT_ID,
    SOCIAL_AUTH_COGNITO_SECRET=CLIENT_SECRET,
    SOCIAL_AUTH_COGNITO_IGNORE_DEFAULT_SCOPE=True,
    SOCIAL_AUTH_COGNITO_SCOPE=["openid", "email"],
)

import jwt  # noqa: E402
from django.contrib.auth.views import LogoutView  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.shortcuts import redirect  # noqa: E402
from django.urls import include, path  # noqa: E402
from social_django.utils import load_strategy  # noqa: E402


def index(request):
    if not request.user.is_authenticated:
        return page(request, None, {"Sign in": "/login/oidc/", "Sign in with Amazon Cognito": "/login/cognito/"})
    data = request.user.social_auth.get().extra_data
    if "id_token" not in data:
        return page(request, {"sub": data["sub"], "email": request.user.email}, {"Sign out": "/logout"})
    claims = jwt.decode(data["id_token"], options={"verify_signature": False})  # it has been verified
    return page(request, claims, {"Refresh": "/refresh", "Sign out": "/logout"})


def refresh(request):
    request.user.social_auth.get().refresh_token(load_strategy(request))
    return redirect("/")


urlpatterns = [
    *common,
    path("", index),
    path("refresh", refresh),
    path("refused", lambda request: HttpResponse("Refused.")),
    path("logout", LogoutView.as_view()),
    path("", include("social_django.urls", namespace="social")),
]

if __name__ == "__main__":
    serve()
