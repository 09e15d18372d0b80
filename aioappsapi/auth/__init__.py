"""Logging in: the ways to obtain a token, and the token that all calls share."""

from aioappsapi.auth.base import Auth, Token, TokenEndpoint
from aioappsapi.auth.cf_cli import CfCliLogin
from aioappsapi.auth.grants import (
    ClientCredentials,
    JwtBearer,
    Passcode,
    PasswordGrant,
    RefreshToken,
    StaticToken,
)

__all__ = [
    "Auth",
    "CfCliLogin",
    "ClientCredentials",
    "JwtBearer",
    "Passcode",
    "PasswordGrant",
    "RefreshToken",
    "StaticToken",
    "Token",
    "TokenEndpoint",
]
