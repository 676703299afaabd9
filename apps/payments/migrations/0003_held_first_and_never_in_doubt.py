import runtime.databases.clock
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0002_ledger_is_balanced'),
    ]

    operations = [
        migrations.AddField(
            model_name='payment',
            name='held_first',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='payment',
            name='look_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='payment',
            name='reference',
            field=models.CharField(blank=True, db_default='', default='', max_length=300),
        ),
        migrations.AddField(
            model_name='refund',
            name='number',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='refund',
            name='tries',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='sandboxcharge',
            name='captured_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name='refund',
            name='due_at',
            field=models.DateTimeField(db_default=runtime.databases.clock.Now(), null=True),
        ),
        # The sandbox's references follow from its keys; from now on a payment without one has never been asked for.
        migrations.RunSQL(
            "UPDATE payments_payment SET reference = 'ch_' || key WHERE provider = 'sandbox' AND method <> ''",
            migrations.RunSQL.noop,
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(condition=models.Q(('look_at__isnull', False)), fields=['look_at'], name='payment_to_look_at'),
        ),
    ]
