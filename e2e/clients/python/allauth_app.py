"""An app with django-allauth, as its documentation shows it, with both of its providers.

The pages of sign-in and sign-out are the library's.
"""
from django_site import CLIENT_ID, CLIENT_SECRET, DOMAIN, ISSUER, common, configure, page, serve

client = {"client_id": CLIENT_ID, "secret": CLIENT_SECRET}

configure(
    apps=[
        "allauth",
        "allauth.account",
        "allauth.socialaccount",
        "allauth.socialaccount.providers.openid_connect",
        "allauth.socialaccount.providers.amazon_cognito",
    ],
    middleware=["allauth.account.middleware.AccountMiddleware"],
    backends=["allauth.account.auth_backends.AuthenticationBackend"],
    ACCOUNT_EMAIL_VERIFICATION="none",
    # The same user for all providers, if the pool has verified the address.
    SOCIALACCOUNT_EMAIL_AUTHENTICATION=True,
    SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT=True,
    SOCIALACCOUNT_PROVIDERS={
        "openid_connect": {
            "OAUTH_PKCE_ENABLED": True,
            "SCOPE": ["openid", "email"],
            "APPS": [{"provider_id": "pool", "name": "Pool", "settings": {"server_url": ISSUER}, **client}],
        },
        "amazon_cognito": {"DOMAIN": DOMAIN, "SCOPE": ["openid", "email"], "APPS": [client]},
    },
)

from allauth.socialaccount.models import SocialAccount  # noqa: E402  once Django is set up
from django.urls import include, path  # noqa: E402


def index(request):
    if not request.user.is_authenticated:
        return page(
            request,
            None,
            {
                "Sign in": "/accounts/oidc/pool/login/",
                "Sign in with Amazon Cognito": "/accounts/amazon-cognito/login/",
            },
        )
    data = SocialAccount.objects.filter(user=request.user).latest("date_joined").extra_data
    return page(request, data.get("id_token", data), {"Sign out": "/accounts/logout/"})


urlpatterns = [
    *common,
    path("", index),
    path("accounts/", include("allauth.urls")),
]

if __name__ == "__main__":
    serve()
