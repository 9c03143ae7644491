"""Where a request comes from: an address that our own proxies vouch for, and a family of devices."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest

_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("CrOS", "Chromebook"),
    ("Linux", "Linux"),
)
# Each browser also names those that it stands in for: the first found is the right one.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)


def address(request: HttpRequest) -> str:
    """Return the IP address of the visitor, empty when unknown.

    Each proxy adds at the right of X-Forwarded-For the address that it sees: with `TRUSTED_PROXIES` of
    them, what stands further left was written by the visitor and proves nothing.
    """
    seen = [request.META.get("REMOTE_ADDR", "")]
    if settings.TRUSTED_PROXIES:
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        added = [item.strip() for item in forwarded if item.strip()]
        seen = added[-settings.TRUSTED_PROXIES :] or seen
    try:
        return str(ipaddress.ip_address(seen[0]))
    except ValueError:
        return ""


def network(ip: str) -> str:
    """Return what counts as one visitor: an IPv4 address, or the /64 of an IPv6 subscriber."""
    if ":" not in ip:
        return ip
    return str(ipaddress.ip_network(f"{ip}/64", strict=False))


def abbreviated(ip: str) -> str:
    """Return an address without its end: « 203.0.113.x », or the first three groups in IPv6."""
    if not ip:
        return ""
    if ":" not in ip:
        return ip.rsplit(".", 1)[0] + ".x"
    return str(ipaddress.ip_network(f"{ip}/48", strict=False).network_address) + "x"


def device(request: HttpRequest) -> str:
    """Return the family of a device, as « Firefox sur Windows »: not enough to tell one from another."""
    agent = request.headers.get("User-Agent", "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    if browser and system:
        return f"{browser} sur {system}"
    return browser or system or "Appareil inconnu"
