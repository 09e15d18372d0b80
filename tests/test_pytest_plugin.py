"""The fixtures of this package for users' tests."""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points

import pytest

pytest_plugins = ["pytester"]


OPTIONS = ("-p", "no:cacheprovider", "-p", "no:randomly")
LOOP = ("-o", "asyncio_default_fixture_loop_scope=function")


def run(pytester: pytest.Pytester, source: str) -> pytest.RunResult:
    """Run tests in this process, where everything is imported already."""
    pytester.makepyfile(source)
    return pytester.runpytest_inprocess(*OPTIONS, *LOOP)


def test_a_test_gets_a_cloud_of_its_own_and_a_client(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import pytest

        @pytest.mark.asyncio
        @pytest.mark.cf_sandbox(apps=3, seed=5)
        async def test_start(cf_sandbox, cf_client):
            report = await cf_client.bulk.start(cf_client.apps.list())
            assert report.ok and len(report) == 3
            assert {app.state for app in cf_sandbox.apps.values()} == {"STARTED"}

        def test_without_asyncio(cf_sandbox):
            from urllib.request import urlopen
            assert urlopen(cf_sandbox.url + "/healthz").status == 200
            assert len(cf_sandbox.apps) == 10
        """,
    )
    result.assert_outcomes(passed=2)


def test_a_failing_test_shows_the_last_requests(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import pytest

        @pytest.mark.asyncio
        async def test_broken(cf_sandbox, cf_client):
            await cf_client.apps.get("no-such-app")
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*last requests to cf_sandbox*", "404 GET /v3/apps/no-such-app"])


def test_the_marker_takes_faults_a_profile_and_tls(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import pytest
        from aioappsapi.sandbox import Faults

        @pytest.mark.asyncio
        @pytest.mark.cf_sandbox(apps=3, tls=True, faults=Faults(crash=1.0))
        async def test_start(cf_sandbox, cf_client):
            report = await cf_client.bulk.start(cf_client.apps.list())
            assert report.ok and len(report) == 3
            assert not any(map(cf_sandbox.running, cf_sandbox.apps))

        @pytest.mark.cf_sandbox(profile="chaos")
        def test_chaos(cf_sandbox):
            assert cf_sandbox.faults == Faults.chaos()
        """,
    )
    result.assert_outcomes(passed=2)


def test_a_wrong_marker_is_reported(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import pytest

        @pytest.mark.cf_sandbox(profile="nice")
        def test_profile(cf_sandbox):
            pass

        @pytest.mark.cf_sandbox(appz=3)
        def test_name(cf_sandbox):
            pass

        @pytest.mark.cf_sandbox(-1)
        def test_number(cf_sandbox):
            pass
        """,
    )
    result.assert_outcomes(errors=3)
    for words in (
        "*no profile 'nice'; the profiles are 'none', 'demo', 'chaos'*",
        "*cf_sandbox: *unexpected keyword argument 'appz'*",
        "*cf_sandbox: apps must be at least 0, not -1*",
    ):
        result.stdout.fnmatch_lines([words])


def test_without_pytest_asyncio_the_client_fixture_says_what_to_install(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(
        sitecustomize="""
        from importlib import util

        find = util.find_spec
        util.find_spec = lambda name: None if name == "pytest_asyncio" else find(name)
        """
    )
    here = os.pathsep.join([str(pytester.path), *sys.path])
    monkeypatch.setenv("PYTHONPATH", here)
    pytester.makepyfile(
        """
        def test_alone(cf_sandbox):
            assert len(cf_sandbox.apps) == 10

        def test_client(cf_client):
            pass
        """
    )
    # Without the other plugins of this environment, whose imports take seconds.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    result = pytester.runpytest_subprocess("-p", "aioappsapi.pytest_plugin")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*cf_client needs pytest-asyncio, which is not installed.*"])


def test_the_plugin_is_found_by_its_entry_point() -> None:
    [found] = entry_points(group="pytest11", name="aioappsapi")
    assert found.value == "aioappsapi.pytest_plugin"
    assert found.load().cf_sandbox
