"""The grants that are offered, one file each."""

from identity.openid.grants.authorization_code import AuthorizationCodeGrant
from identity.openid.grants.client_credentials import ClientCredentialsGrant
from identity.openid.grants.device_code import DeviceCodeGrant
from identity.openid.grants.jwt_bearer import JwtBearerGrant
from identity.openid.grants.refresh_token import RefreshTokenGrant
from identity.openid.grants.token_exchange import TokenExchangeGrant

GRANTS = (
    AuthorizationCodeGrant,
    RefreshTokenGrant,
    ClientCredentialsGrant,
    DeviceCodeGrant,
    TokenExchangeGrant,
    JwtBearerGrant,
)
