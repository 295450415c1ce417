"""The fixtures lie in a module that the conftest of other suites names too."""

pytest_plugins = ["client_fixtures"]
