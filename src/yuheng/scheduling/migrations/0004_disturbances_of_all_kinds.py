"""Disturbances of all kinds, absences, what came of advice; the planner says that it lives."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('equipment', '0002_calendar_exceptions_and_pictures'),
        ('kernel', '0003_audit_is_searched'),
        ('scheduling', '0003_promises'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Absence',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('start', models.DateTimeField()),
                ('end', models.DateTimeField()),
                ('note', models.CharField(blank=True, default='', max_length=400)),
                ('said_at', models.DateTimeField()),
                ('said_by', models.CharField(max_length=150)),
            ],
            options={
                'ordering': ['-start', '-id'],
            },
        ),
        migrations.CreateModel(
            name='Outcome',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('request_id', models.BigIntegerField()),
                ('code', models.CharField(max_length=120)),
                ('due_at', models.DateTimeField()),
                ('weight', models.FloatField()),
                ('promised_at', models.DateTimeField()),
                ('made_at', models.DateTimeField(blank=True, null=True)),
                ('promised_min', models.PositiveIntegerField()),
                ('realised_min', models.PositiveIntegerField()),
            ],
            options={
                'ordering': ['suggestion_id', 'id'],
            },
        ),
        migrations.RemoveConstraint(
            model_name='disturbance',
            name='one_open_disturbance_of_a_kind',
        ),
        migrations.AddField(
            model_name='disturbance',
            name='about',
            field=models.CharField(default='', max_length=80),
        ),
        migrations.AddField(
            model_name='disturbance',
            name='details',
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name='disturbance',
            name='scored_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='siteplanning',
            name='keeps_plan',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='siteplanning',
            name='seen_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='siteplanning',
            name='trouble',
            field=models.CharField(blank=True, default='', max_length=400),
        ),
        migrations.AddField(
            model_name='suggestion',
            name='promised',
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='suggestion',
            name='scored_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='disturbance',
            name='kind',
            field=models.CharField(choices=[('down', 'DOWN'), ('slow', 'SLOW'), ('material', 'MATERIAL'), ('hold', 'HOLD'), ('absent', 'ABSENT'), ('rush', 'RUSH'), ('cancelled', 'CANCELLED')], max_length=12),
        ),
        migrations.AlterField(
            model_name='disturbance',
            name='work_unit',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='equipment.workunit'),
        ),
        migrations.AddIndex(
            model_name='disturbance',
            index=models.Index(condition=models.Q(('over_at__isnull', False), ('scored_at__isnull', True)), fields=['site', 'over_at'], name='disturbance_to_score'),
        ),
        migrations.AddIndex(
            model_name='suggestion',
            index=models.Index(condition=models.Q(('scored_at__isnull', False)), fields=['site', '-scored_at'], name='suggestion_scored'),
        ),
        migrations.RunSQL(
            "UPDATE scheduling_disturbance SET about = 'unit ' || work_unit_id WHERE about = ''",
            migrations.RunSQL.noop,
        ),
        migrations.AddConstraint(
            model_name='disturbance',
            constraint=models.UniqueConstraint(condition=models.Q(('over_at__isnull', True)), fields=('site', 'kind', 'about'), name='one_open_disturbance_about'),
        ),
        migrations.AddField(
            model_name='absence',
            name='person',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='absence',
            name='site',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='kernel.site'),
        ),
        migrations.AddField(
            model_name='outcome',
            name='suggestion',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='outcomes', to='scheduling.suggestion'),
        ),
        migrations.AddIndex(
            model_name='absence',
            index=models.Index(fields=['site', 'end'], name='absence_of_site'),
        ),
        migrations.AddConstraint(
            model_name='absence',
            constraint=models.CheckConstraint(condition=models.Q(('end__gt', models.F('start'))), name='absence_ends_after_it_starts'),
        ),
        migrations.AddConstraint(
            model_name='outcome',
            constraint=models.UniqueConstraint(fields=('suggestion', 'request_id'), name='outcome_once_per_order'),
        ),
    ]
