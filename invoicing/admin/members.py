"""What a member's staff page shows besides: how its pupils and amounts went over the years."""

from django.contrib import admin
from django.db.models import Q

from conventions.models import Convention
from invoicing.evolution import evolution
from invoicing.models import Titre
from members.access import visible
from members.admin import MemberAdmin
from members.models import Member

admin.site.unregister(Member)


@admin.register(Member)
class CalledMemberAdmin(MemberAdmin):
    change_form_outer_after_template = "admin/invoicing/evolution.html"

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        context["evolution"] = self.evolution(request, obj) if obj else None
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def evolution(self, request, member):
        """Return what the issuers of the account have called of it, where it may see titres."""
        if not request.user.has_perms(["invoicing.view_titre", "conventions.view_convention"]):
            return None
        titres = visible(Titre.objects.filter(debtor=member), request.user)
        agreements = Convention.objects.filter(Q(party=member) | Q(debtor=member))
        return evolution(titres, visible(agreements, request.user))
