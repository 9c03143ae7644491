"""Which address counts behind proxies, what is shown of it, and the families of devices."""

import pytest

from members.portal import visitors

AGENTS = {
    "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0": "Firefox sur Windows",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
    "Safari/537.36 Edg/140.0.0.0": "Edge sur Windows",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1": "Safari sur iPhone",
    "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile "
    "Safari/537.36": "Chrome sur Android",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Safari/605.1.15": "Safari sur Mac",
    "curl/8.0": "Appareil inconnu",
    "": "Appareil inconnu",
}


@pytest.mark.parametrize(("agent", "family"), AGENTS.items())
def test_the_family_of_a_device_is_told_in_french(rf, agent, family):
    assert visitors.device(rf.get("/", HTTP_USER_AGENT=agent)) == family


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "", "192.0.2.1"),
        (0, "203.0.113.9", "192.0.2.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (2, "6.6.6.6, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (1, "", "192.0.2.1"),
        (1, "n'importe quoi", ""),
        (1, "2001:db8::1", "2001:db8::1"),
    ],
)
def test_only_what_our_own_proxies_add_is_believed(rf, settings, proxies, forwarded, expected):
    settings.TRUSTED_PROXIES = proxies
    request = rf.get("/", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR=forwarded)
    assert visitors.address(request) == expected


def test_an_address_is_shown_without_its_end():
    assert visitors.abbreviated("203.0.113.77") == "203.0.113.x"
    assert visitors.abbreviated("2001:db8:1:2:3:4:5:6") == "2001:db8:1::x"
    assert visitors.abbreviated("") == ""


def test_an_ipv6_subscriber_counts_once():
    assert visitors.network("2001:db8:1:2:3:4:5:6") == visitors.network("2001:db8:1:2::1")
    assert visitors.network("203.0.113.77") == "203.0.113.77"
