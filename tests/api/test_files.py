"""The files of the page: modules that can be joined, names that change with them, a safe report."""

import base64
import hashlib
import re
from collections import Counter

import pytest

from api import page
from tests.api.client import Client

MODULES = {path.name: path.read_text("utf-8") for path in page.FOLDER.glob("*.js")}
TOLD = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)
EXPORTED = re.compile(r"^export (?:async )?(?:function|const|class) (\w+)", re.MULTILINE)
IMPORTED = re.compile(r'^import \{ ([^}]*) \} from "\./([a-z]+\.js)";$', re.MULTILINE)
HARMFUL = re.compile(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(|new Function")


def test_no_name_is_told_twice() -> None:
    told = Counter(name for text in MODULES.values() for name in TOLD.findall(text))
    assert [name for name, times in told.items() if times > 1] == []


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_imports_what_is_exported_and_nothing_that_it_does_not_use(name: str) -> None:
    text = MODULES[name]
    lines = [line for line in text.splitlines() if line.startswith("import")]
    found = IMPORTED.findall(text)
    assert len(found) == len(lines)
    for names, source in found:
        for one in names.split(", "):
            assert one in EXPORTED.findall(MODULES[source]), (one, source)
            assert len(re.findall(rf"\b{one}\b", text)) > 1, one


def test_no_text_can_become_markup() -> None:
    for name, text in MODULES.items():
        assert not HARMFUL.search(text), name


def test_all_modules_are_in_the_script_once() -> None:
    script = page.script()
    for text in MODULES.values():
        for name in TOLD.findall(text):
            assert len(re.findall(rf"^(?:async )?(?:function|const|let|class) {name}\b", script,
                                  re.MULTILINE)) == 1  # fmt: skip
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)


def test_the_page_is_sent_compressed_and_kept(client: Client) -> None:
    first = client.get("/", headers={"accept-encoding": "gzip"})
    assert first.headers["content-encoding"] == "gzip"
    names = re.findall(r'(?:src|href)="([^"]+)"', first.text)
    assert len(names) == 3
    for name in names:
        answer = client.get(f"/{name}")
        assert answer.status_code == 200
        kept = "immutable" in answer.headers["cache-control"]
        assert kept == bool(re.search(r"\.[0-9a-f]{12}\.", name))
    tag = {"if-none-match": first.headers["etag"]}
    assert client.get("/", headers=tag).status_code == 304
    assert client.request("HEAD", "/").status_code == 200
    assert client.get("/../app.py").status_code == 404
    assert client.get("/%2e%2e/app.py").status_code == 404


def test_a_report_runs_its_own_script_and_no_other() -> None:
    data = b'{"x":"</script><script>owned()</script>\xe2\x80\xa8<!--"}'
    text = page.report(data).decode()
    assert "owned()" in text
    assert "<script>owned" not in text
    policy = re.search(r'content="(default-src[^"]*)"', text)
    assert policy
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert (len(scripts), len(styles)) == (1, 1)
    for one in (*scripts, *styles):
        digest = base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy[1]
    assert "unsafe" not in policy[1]
    assert not re.search(r'(?:src|href)="(?!data:)', text)
