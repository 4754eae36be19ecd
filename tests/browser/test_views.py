"""A view is saved, opened and mailed, in a real browser; what is set up is without barriers in both themes."""

import re
from decimal import Decimal

from django.utils import timezone
from playwright.sync_api import Page, expect

from dashboard import mail_reports, mailing
from dashboard.models import Budget, BudgetNotice, MailReport, SavedView
from reports.models import Meeting
from tests.browser.test_accessibility import THEMES, axe, broken_rules


def test_a_view_is_saved_opened_and_mailed(site: Page, post):
    site.goto(f"{site.root}/meetings/")
    # The list follows a filter that was swapped in.
    site.locator("select[name=state]").select_option("empty")
    site.wait_for_url("**state=empty*")
    expect(site.locator("#results tbody tr")).not_to_have_count(0)
    site.locator("#filter-views > summary").click()
    site.get_by_label("Save this view").fill("Empty ones")
    site.get_by_label("Every account may open it").check()
    site.get_by_label("Save this view").press("Enter")
    expect(site.get_by_role("status").filter(has_text="The view is saved as Empty ones.")).to_be_visible()
    assert site.url == f"{site.root}/meetings/?state=empty"
    view = SavedView.objects.get()
    assert (view.name, view.query, view.shared) == ("Empty ones", "state=empty", True)

    site.goto(f"{site.root}/")
    site.locator("#filter-views > summary").click()
    site.get_by_role("link", name="Empty ones").click()
    site.wait_for_url("**/meetings/?state=empty")
    expect(site.locator("#filter-views a[aria-current]")).to_have_text("Empty ones")
    shown = site.locator("#results tbody tr").count()
    assert shown == min(50, Meeting.objects.filter(state="empty").count())

    site.locator("#filter-views > summary").click()
    site.get_by_role("link", name="Mail this view…").click()
    expect(site.get_by_label("Name")).to_have_value("Empty ones")
    site.get_by_label("How often").select_option("daily")
    site.get_by_label("Recipients").fill("boss@example.com")
    site.get_by_role("button", name="Save").click()
    expect(site.get_by_text("Meetings · 30 days · State: empty")).to_be_visible()
    site.get_by_role("button", name="Send now").click()
    expect(site.get_by_text("Empty ones is sent in a moment.")).to_be_visible()
    assert mail_reports.send_due(timezone.now()) == 1
    (mail,) = post.mails
    assert mail.to == ("boss@example.com",)
    ((_name, body),) = mail.attached.items()
    assert body.count(b"\r\n") == 1 + Meeting.objects.filter(state="empty").count()

    # The reader's way out, in a browser of nobody's.
    link = re.search(r"/mail/unsubscribe/[\w-]+/", mail.part("text/plain"))[0]
    site.context.clear_cookies()
    site.goto(f"{site.root}{link}")
    site.get_by_role("button", name="Unsubscribe").click()
    expect(site.get_by_role("heading", name="Unsubscribed")).to_be_visible()
    assert MailReport.objects.get().recipients.filter(unsubscribed_at=None).count() == 0


def test_what_is_set_up_is_without_barriers(site: Page, django_user_model):
    user = django_user_model.objects.get()
    now = timezone.now()
    for name, shared in (("Mine", False), ("Ours", True)):
        SavedView.objects.create(owner=user, name=name, path="/telephony/", query="period=month", shared=shared)
    SavedView.objects.create(owner=user, name="Broken", path="/meetings/", query="state=flying")
    report = MailReport.objects.create(
        owner=user, name="Report", path="/", next_due_at=now, last_sent_at=now, last_error=mailing.UNSURE
    )
    reader = report.recipients.create(address="boss@example.com")
    budget = Budget.objects.create(amount=Decimal(1), recipients=["boss@example.com"])
    month = timezone.localdate().replace(day=1)
    BudgetNotice.objects.create(
        budget=budget, month=month, threshold=50, state="unsure", last_error=mailing.UNSURE, noticed_at=now
    )
    script = axe()
    found = {}
    for theme in THEMES:
        site.emulate_media(color_scheme=theme)
        for path in ("/views/", "/mail/", f"/mail/{report.pk}/", "/budgets/", f"/mail/unsubscribe/{reader.token}/"):
            site.goto(f"{site.root}{path}")
            for menu in site.locator("details.really > summary").all():
                menu.click()
                expect(site.locator("details.really[open] form").first).to_be_visible()
                break
            if wrong := broken_rules(site, script):
                found[theme, path] = wrong
        site.goto(f"{site.root}/telephony/?period=month")
        site.locator("#filter-views > summary").click()
        if wrong := broken_rules(site, script):
            found[theme, "the list of views"] = wrong
    assert found == {}


def test_nothing_is_deleted_at_the_first_click(site: Page, django_user_model):
    SavedView.objects.create(owner=django_user_model.objects.get(), name="Mine", path="/", query="")
    site.goto(f"{site.root}/views/")
    site.get_by_text("Delete", exact=True).first.click()
    expect(site.get_by_text("Delete Mine for good?")).to_be_visible()
    assert SavedView.objects.count() == 1
    site.get_by_role("button", name="Delete").last.click()
    expect(site.get_by_text("The view Mine is deleted.")).to_be_visible()
    assert SavedView.objects.count() == 0
