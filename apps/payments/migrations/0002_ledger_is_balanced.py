"""The database itself refuses a movement whose debits and credits differ, when its transaction ends."""

from django.db import migrations

BALANCED = """
CREATE FUNCTION payments_ledger_is_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sum(debit) <> sum(credit) FROM payments_ledgerline WHERE movement_id = NEW.movement_id) THEN
        RAISE EXCEPTION 'the ledger entry of movement % is not balanced', NEW.movement_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER payments_ledger_is_balanced AFTER INSERT ON payments_ledgerline
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_ledger_is_balanced();
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial")]

    operations = [
        migrations.RunSQL(
            BALANCED,
            "DROP TRIGGER payments_ledger_is_balanced ON payments_ledgerline;"
            " DROP FUNCTION payments_ledger_is_balanced();",
        )
    ]
