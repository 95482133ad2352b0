"""Pages show their times in the viewer's zone, in the form in which they were rendered."""

from __future__ import annotations

import pytest

from signalbox.webapp.views.time_zones import UTC_ZONE, Zone, in_zone, zone_named, zone_of_cookie


def zone(name: str) -> Zone:
    found = zone_named(name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("14:02:07.123", "15:02:07.123"),
        ("14:02:07", "15:02:07"),
        ("2026-11-21 14:02:07", "2026-11-21 15:02:07"),
        ("at about 2026-11-21 14:02:07", "at about 2026-11-21 15:02:07"),
        ("3 min ago", "3 min ago"),
    ],
)
def test_a_time_keeps_its_form(text: str, shown: str) -> None:
    page = in_zone(f'<time data-volatile datetime="2026-11-21T14:02:07.123456Z">{text}</time>', zone("Europe/Berlin"))
    title = "2026-11-21 14:02:07.123 UTC, 2026-11-21 15:02:07 GMT+1"
    assert page == f'<time data-volatile datetime="2026-11-21T14:02:07.123456Z" title="{title}">{shown}</time>'


def test_in_utc_only_titles_are_added() -> None:
    page = '<p>x</p><relative-time datetime="2026-11-21T14:02:07.000000Z">2026-11-21 14:02:07</relative-time>'
    titled = page.replace('000Z">', '000Z" title="2026-11-21 14:02:07.000 UTC">')
    assert in_zone(page, UTC_ZONE) == titled


def test_a_text_that_is_no_time_is_left_as_it_is() -> None:
    page = '<time datetime="soon">14:02:07</time> 14:02:07'
    assert in_zone(page, zone("Asia/Kathmandu")) == page


def test_rows_are_grouped_by_the_days_of_the_zone() -> None:
    def row(seq: int, at: str, day: str = "") -> str:
        mark = f'<span class="day" data-volatile data-day="{day[:10]}">{day[11:]}</span>' if day else ""
        return f'<li id="e{seq}" class="row">{mark}<time data-volatile datetime="{at}">{at[11:23]}</time></li>'

    page = '<ol id="log-rows" class="rows">' + "".join(
        [
            row(1, "2026-11-23T22:30:00.000000Z", "2026-11-23 Monday 23 November 2026"),
            row(2, "2026-11-23T23:30:00.000000Z"),
            row(3, "2026-11-24T00:30:00.000000Z", "2026-11-24 Tuesday 24 November 2026"),
        ]
    )
    local = in_zone(page, zone("Europe/Berlin"))
    assert local.count('class="day"') == 2
    assert local.index("Monday 23") < local.index('id="e2"') < local.index("Tuesday 24") < local.index('id="e3"')
    assert [local.count(clock) for clock in (">23:30:00.000<", ">00:30:00.000<", ">01:30:00.000<")] == [1, 1, 1]


def test_an_event_reported_late_shows_its_date_if_that_is_another_day_in_the_zone() -> None:
    row = '<time datetime="2026-11-23T22:30:00.000000Z" data-appended="2026-11-23T23:30:00.000000Z">22:30:00.000</time>'
    assert ">22:30:00.000<" in in_zone(row, UTC_ZONE)
    assert ">11-23 23:30:00<" in in_zone(row, zone("Europe/Berlin"))


def test_a_clock_that_is_set_back_shows_both_hours_with_their_offset() -> None:
    berlin = zone("Europe/Berlin")
    first, second = "2026-10-25T00:30:00.000Z", "2026-10-25T01:30:00.000Z"
    assert berlin.local(first)[11:16] == berlin.local(second)[11:16] == "02:30"
    assert (berlin.offset(first), berlin.offset(second)) == ("GMT+2", "GMT+1")


def test_the_forms_of_a_page_use_the_zone() -> None:
    form = (
        '<input name="at" type="datetime-local" data-at="2026-11-21T14:02:07.123456Z" value="2026-11-21T14:02:07">'
        '<input type="hidden" name="zone" value="UTC">'
    )
    local = in_zone(form, zone("Asia/Kathmandu"))
    assert 'value="2026-11-21T19:47:07"' in local
    assert 'name="zone" value="Asia/Kathmandu"' in local
    assert zone("Asia/Kathmandu").utc("2026-11-21T19:47:07").isoformat() == "2026-11-21T14:02:07+00:00"


def test_a_cookie_names_the_zone() -> None:
    assert zone_of_cookie("auto:Europe/Berlin").name == zone_of_cookie("Europe%2FBerlin").name == "Europe/Berlin"
    for odd in (None, "", "Mars/Base", "../../etc/passwd", "x" * 5000, "auto:"):
        assert zone_of_cookie(odd) is UTC_ZONE


@pytest.mark.parametrize(
    ("at", "name"), [("0001-01-01T00:00:00.000000Z", "America/New_York"), ("9999-12-31T23:59:59.999999Z", "Asia/Tokyo")]
)
def test_a_time_that_the_zone_does_not_have_stays_in_utc(at: str, name: str) -> None:
    page = f'<time data-volatile datetime="{at}">{at[11:23]}</time>'
    assert in_zone(page, zone(name)) == in_zone(page, UTC_ZONE)
    appended = f'<time data-volatile datetime="{at}" data-appended="2026-11-21T14:02:07.000000Z">{at[11:23]}</time>'
    assert f"{at[:10]} {at[11:23]} UTC, appended 2026-11-21" in in_zone(appended, zone(name))
    assert f">{at[:10]}<" in in_zone(appended, zone(name)), "the date of another year"
    form = f'<input name="at" type="datetime-local" data-at="{at}" value="{at[:19]}">'
    assert in_zone(form, zone(name)) == form
