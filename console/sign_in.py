"""How allauth signs people in here: by e-mail, and only people who were invited."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class ConsoleAccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody registers by himself: an administrator or an organisation's owner adds people."""
        return False
