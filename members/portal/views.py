"""The door and the first page of /espace/."""

from django import forms
from django.conf import settings
from django.contrib import auth
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from members.models import Member, PortalAccess
from members.portal import access, links, panels, provider
from members.portal.access import addresses, is_portal_account, member_or_404, portal_page

SHOWN = 100


class AddressForm(forms.Form):
    """The address of somebody who wants to come in."""

    email = forms.EmailField(
        label="Votre adresse de courriel",
        help_text="Celle de la mairie ou de la collectivité, par exemple mairie@commune.fr.",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "spellcheck": "false"}),
        error_messages={
            "required": "Indiquez votre adresse de courriel.",
            "invalid": "Cette adresse n'est pas complète : elle s'écrit comme mairie@commune.fr.",
        },
    )


@require_safe
@portal_page
def home(request: HttpRequest) -> HttpResponse:
    """Show the page of the only member, or the choice of one."""
    members = list(request.members)
    if len(members) > 1:
        return render(request, "espace/choice.html", {"members": members})
    return _member_page(request, members[0], several=False)


@require_safe
@portal_page
def member(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the page of one member."""
    return _member_page(request, member_or_404(request, pk), several=request.members.count() > 1)


@require_safe
@portal_page
def accesses(request: HttpRequest) -> HttpResponse:
    """Show who opened the pages of the members lately, and which addresses may."""
    members = list(request.members)
    rows = PortalAccess.objects.filter(member__in=members).select_related("member")[:SHOWN]
    context = {
        "accesses": rows,
        "several": len(members) > 1,
        "allowed": [(member, addresses(member)) for member in members[:SHOWN]],
        "shown": SHOWN,
    }
    return render(request, "espace/accesses.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for an address; the answer is the same whatever it is."""
    if is_portal_account(request.user):
        return redirect("espace:home")
    form = AddressForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        links.ask(request, form.cleaned_data["email"])
        return redirect("espace:link-sent")
    context = {
        "form": form,
        "provider": settings.OIDC_LABEL if provider.is_configured() else "",
        "told": "" if form.is_bound else request.GET.get(access.TOLD, ""),
    }
    return render(request, "espace/sign_in.html", context)


@require_safe
def link_sent(request: HttpRequest) -> HttpResponse:
    """Say that a link was mailed, if the address is known."""
    return render(request, "espace/link_sent.html", {"minutes": links.MINUTES})


@sensitive_post_parameters(links.PARAMETER)
@sensitive_variables("token")
@require_http_methods(["GET", "HEAD", "POST"])
def link(request: HttpRequest) -> HttpResponse:
    """Show a button: only pressing it uses the link up, as mail filters open all links."""
    if request.method == "POST":
        token = request.POST.get(links.PARAMETER, "")
        if links.use(request, token):
            return redirect("espace:home")
    else:
        token = request.GET.get(links.PARAMETER, "")
        owner = links.owner(token)
        if owner is not None:
            context = {"token": token, "parameter": links.PARAMETER, "address": owner.email}
            return render(request, "espace/link.html", context)
    context = {"minutes": links.MINUTES, "is_in": is_portal_account(request.user)}
    return render(request, "espace/link_over.html", context, status=410)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session, here and at the identity provider."""
    target = provider.farewell(request)
    if is_portal_account(request.user):
        auth.logout(request)
    return redirect(target)


@require_safe
def signed_out(request: HttpRequest) -> HttpResponse:
    """Say that the session is over."""
    return render(request, "espace/signed_out.html")


def to_provider(request: HttpRequest) -> HttpResponse:
    """Send the visitor to the identity provider."""
    _provider_or_404()
    return provider.AskProvider.as_view()(request)


def provider_back(request: HttpRequest) -> HttpResponse:
    """Take the visitor back from the identity provider."""
    _provider_or_404()
    return provider.BackFromProvider.as_view()(request)


def _member_page(request: HttpRequest, member: Member, *, several: bool) -> HttpResponse:
    context = {
        "member": member,
        "several": several,
        "panels": panels.render_all(request, member),
    }
    return render(request, "espace/home.html", context)


def _provider_or_404() -> None:
    if not provider.is_configured():
        raise Http404
