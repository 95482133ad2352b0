"""Test pages below a path prefix, behind nginx over TLS and HTTP/2."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from e2e.live_checks import expect_equal_to_fresh, expect_live_at
from signalbox.store import NewEvent
from tests.support.proxies import PREFIX, proxy_before
from tests.support.server import Server


@pytest.mark.long
def test_a_task_page_is_live_below_a_prefix_behind_nginx(
    start_server: Callable[..., Server], new_context: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    server = start_server(root_path=PREFIX)
    certificate = tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(certificate.with_suffix(".key")), "-out", str(certificate)]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files]
    subprocess.run(make, check=True, capture_output=True)
    server.emit("run", "one")
    context = new_context(ignore_https_errors=True)
    with proxy_before("nginx", server.port, server.port, tmp_path / "nginx", certificate) as url:
        page = context.new_page()
        page.goto(f"{url}{PREFIX}/tasks/run")
        expect_live_at(page, 1)
        protocol = "() => performance.getEntriesByType('navigation')[0].nextHopProtocol"
        assert page.evaluate(protocol) == "h2"
        request = {"request_id": "r1", "tool_name": "rm", "arguments": {"path": "/x"}}
        server.emit("run", "two", NewEvent(event_type="permission_request", payload=request))
        expect_live_at(page, 3)
        page.get_by_role("button", name="Approve").click()
        expect_live_at(page, 4)
        expect(page).to_have_url(re.compile(f"{PREFIX}/tasks/run"))
        seen = page.evaluate(
            """async () => {
              const root = location.pathname.split('/tasks')[0];
              const { EventStreamService } = await import(`${root}/static/js/EventStreamService.js`);
              return new Promise((resolve, reject) => {
                const seqs = [];
                const service = new EventStreamService('run', {
                  onEvent: ({ seq }) => (seqs.push(seq) === 4 ? (service.stop(), resolve(seqs)) : null),
                  onError: reject,
                });
                service.start();
              });
            }"""
        )
        assert seen == [1, 2, 3, 4]
        expect_equal_to_fresh(page, context)
        page.keyboard.press("Control+k")
        page.get_by_role("combobox").fill("run")
        page.get_by_role("option").filter(has_text="· run").first.click()
        expect(page).to_have_url(f"{url}{PREFIX}/tasks/run")
        expect_live_at(page, 4)
        page.close()
