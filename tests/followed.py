"""Whether the history of rows says what they are: the check of every way of writing."""


def followed(*models):
    """Check that the last state in the history of each row is the row, and that what went is gone."""
    for model in models:
        key = model._meta.pk.attname
        past = model.history.model
        columns = [field.attname for field in past.tracked_fields]
        last = {}
        for state in past.objects.order_by("history_date", "history_id"):
            last[getattr(state, key)] = state
        told = {
            pk: {name: getattr(state, name) for name in columns}
            for pk, state in last.items()
            if state.history_type != "-"
        }
        assert told == {row[key]: row for row in model._base_manager.order_by("pk").values(*columns)}
    return True
