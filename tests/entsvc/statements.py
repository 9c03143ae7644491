"""Statements that reach the database without the ORM."""

from django.db import connection


def execute(sql, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
