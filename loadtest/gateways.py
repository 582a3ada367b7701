"""The gateways that are compared: how each is configured for a scenario.

Each is tuned as its own documentation and its experts would for this work: one worker, keep-alive on both sides, no
access log, buffers that hold what is sent. The `-equal` variants do what Sluice does by default beside forwarding: an
access log, X-Forwarded-*, a request id. In the scenario `production` all do the same, as far as each can.
"""

import signal

from envoy import Envoy
from gateway import Gateway, Lacks, Scenario
from measure import free_port

__all__ = ["ALL", "Lacks", "Scenario", "Sluice"]


class Nginx(Gateway):
    name = "nginx"
    equal = False

    def configure(self):
        s = self.scenario
        upstream = "\n".join(
            f"server 127.0.0.1:{port} weight={weight} max_fails=0;" for port, weight in s.backends)
        if s.h2c_up and not s.grpc:
            raise Lacks("no HTTP/2 to backends but for gRPC (grpc_pass)")
        to = "grpc_pass grpc://app;" if s.grpc else "proxy_pass http://app;"
        locations = f"location / {{ {to} }}"
        if s.routes > 1:
            locations = "\n".join(f"location /r/{n:05} {{ {to} }}" for n in range(s.routes))
            locations += f"\nlocation = / {{ {to} }}"
        listen, tls = "http2" if s.http2 else "", ""
        if s.tls:
            certificate, key, _ = self.certificate()
            listen = "ssl http2"
            tls = f"ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.3;"
        log, extra = "access_log off;", ""
        if self.equal or s.production:
            log = (f"log_format full '$remote_addr [$time_iso8601] \"$request\" $status $body_bytes_sent $request_time "
                   f"$upstream_addr $upstream_response_time \"$http_user_agent\" $request_id';"
                   f"access_log {self.folder}/access.log full buffer=64k flush=1s;")
            extra = """proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
                proxy_set_header X-Request-Id $request_id;"""
        if s.production:
            log += "limit_req_zone $binary_remote_addr zone=clients:10m rate=1000000r/s;"
            extra += """limit_req zone=clients burst=100000 nodelay; limit_req_status 429;
                proxy_next_upstream error timeout http_502 http_503; proxy_next_upstream_tries 3;
                proxy_set_header X-Environment production; proxy_set_header X-Debug "";
                add_header Strict-Transport-Security "max-age=31536000" always; proxy_hide_header X-Powered-By;"""
        text = f"""
            worker_processes {s.workers}; daemon off; pid {self.folder}/pid; error_log stderr error;
            worker_rlimit_nofile 20000;
            events {{ worker_connections 19000; }}
            http {{
                {log}
                sendfile on; tcp_nopush on; tcp_nodelay on; server_tokens off;
                keepalive_timeout 3600s; keepalive_requests 1000000000;
                client_body_temp_path {self.folder}/client; proxy_temp_path {self.folder}/proxy;
                fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
                upstream app {{
                    {upstream}
                    keepalive 256; keepalive_requests 1000000000; keepalive_timeout 3600s;
                }}
                proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
                # Streaming both ways, as the others do; measured against 16 x 32k, 8 x 64k and 4 x 256k of buffers.
                proxy_buffering off; proxy_buffer_size 128k; proxy_buffers 8 128k; proxy_busy_buffers_size 256k;
                proxy_request_buffering off;
                {extra}
                server {{
                    listen 127.0.0.1:{self.port} {listen} reuseport backlog=4096;
                    {tls}
                    {locations}
                }}
            }}"""
        (self.folder / "nginx.conf").write_text(text)
        return ["nginx", "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder)]


class NginxEqual(Nginx):
    name = "nginx-equal"
    equal = True


class HAProxy(Gateway):
    name = "haproxy"
    equal = False

    def configure(self):
        s = self.scenario
        servers = "\n    ".join(
            f"server s{n} 127.0.0.1:{port} weight {weight} pool-purge-delay 1h{' proto h2' if s.upstream_http2 else ''}"
            for n, (port, weight) in enumerate(s.backends))
        bind = "proto h2" if s.http2 else ""
        if s.tls:
            bind = f"ssl crt {self.certificate()[2]} ssl-min-ver TLSv1.3 alpn h2,http/1.1"
        choice = "default_backend app"
        if s.routes > 1:
            # A prefix map is a tree: the look-up does not grow with the number of routes.
            (self.folder / "map").write_text("".join(f"/r/{n:05} app\n" for n in range(s.routes)) + "/ app\n")
            choice = f"use_backend %[path,map_beg({self.folder}/map)]"
        log, extra, retries = "", "", ""
        if self.equal or s.production:
            log = "log stdout format raw local0 info"
            extra = """log global
    option httplog
    option forwardfor
    unique-id-format %{+X}o%ci:%cp_%fi:%fp_%Ts_%rt:%pid
    unique-id-header X-Request-Id
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Forwarded-Host %[req.hdr(host)]"""
        if s.production:
            extra += """
    stick-table type ip size 100k expire 10s store http_req_rate(1s)
    http-request track-sc0 src
    http-request deny deny_status 429 if { sc_http_req_rate(0) gt 1000000 }
    http-request set-header X-Environment production
    http-request del-header X-Debug
    http-response set-header Strict-Transport-Security max-age=31536000
    http-response del-header X-Powered-By"""
            retries = """retries 2
    retry-on conn-failure empty-response 502 503
    option redispatch"""
        text = f"""
global
    nbthread {s.workers}
    maxconn 9500
    maxpipes 128
    # Splicing through large pipes halves the cost of large bodies; `splice-auto` alone does not splice here.
    tune.pipesize 1048576
    {log}
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout http-keep-alive 1h
    option http-keep-alive
    option splice-request
    option splice-response
    http-reuse always
frontend front
    bind 127.0.0.1:{self.port} backlog 4096 {bind}
    {extra}
    {choice}
backend app
    balance roundrobin
    {retries}
    {servers}
"""
        (self.folder / "haproxy.cfg").write_text(text)
        # Master and worker, so that a reload is one signal as with the others.
        return ["haproxy", "-W", "-f", str(self.folder / "haproxy.cfg")]

    def reload(self):
        self.process.send_signal(signal.SIGUSR2)


class HAProxyEqual(HAProxy):
    name = "haproxy-equal"
    equal = True


class Sluice(Gateway):
    name = "sluice"
    binary = ".build/release/sluice"
    log = "off"
    FILTERS = """filters:
    - type: RequestHeaderModifier
      requestHeaderModifier: {set: [{name: X-Environment, value: production}], remove: [X-Debug]}
    - type: ResponseHeaderModifier
      responseHeaderModifier:
        set: [{name: Strict-Transport-Security, value: max-age=31536000}]
        remove: [X-Powered-By]
    """
    POLICY = """apiVersion: gateway.envoyproxy.io/v1alpha1
kind: BackendTrafficPolicy
metadata: {name: production}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: bench}]
  retry:
    numRetries: 2
    retryOn: {triggers: [connect-failure, reset, gateway-error]}
  rateLimit:
    type: Local
    local:
      rules:
      - clientSelectors: [{sourceCIDR: {type: Distinct, value: 0.0.0.0/0}}]
        limit: {requests: 1000000, unit: Second}
"""

    def configure(self):
        self.admin = free_port()
        self.manifests = self.folder / "manifests"
        self.manifests.mkdir(exist_ok=True)
        self.write_manifests()
        return [self.binary, "run", str(self.manifests), "--workers", str(self.scenario.workers),
                "--admin", f"127.0.0.1:{self.admin}",
                "--access-log", "text" if self.scenario.production else self.log]

    def write_manifests(self, mark="0"):
        s = self.scenario
        parts = [self.gateway()]
        refs = ""
        protocol = ", appProtocol: kubernetes.io/h2c" if s.upstream_http2 else ""
        for n, (port, weight) in enumerate(s.backends):
            refs += f"    - {{name: app{n}, port: 80, weight: {weight}}}\n"
            parts.append(f"""apiVersion: v1
kind: Service
metadata: {{name: app{n}{", labels: {sluice.dev/gateway: bench}" if s.group else ""}}}
spec: {{ports: [{{name: http, port: 80{protocol}}}]}}
""")
            parts.append(f"""apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: app{n}-1, labels: {{kubernetes.io/service-name: app{n}}}}}
addressType: IPv4
ports: [{{name: http, port: {port}}}]
endpoints: [{{addresses: [127.0.0.1]}}]
""")
        paths = [] if s.group else ["/"] if s.routes == 1 else [f"/r/{n:05}" for n in range(s.routes)]
        for n, path in enumerate(paths):
            match = "" if s.grpc else f"matches: [{{path: {{type: PathPrefix, value: {path}}}}}]\n    "
            if s.production:
                match += self.FILTERS
            parts.append(f"""apiVersion: gateway.networking.k8s.io/v1
kind: {"GRPCRoute" if s.grpc else "HTTPRoute"}
metadata: {{name: route-{n:05}, labels: {{mark: '{mark if n == 0 else 0}'}}}}
spec:
  parentRefs: [{{name: bench}}]
  rules:
  - {match}backendRefs:
{refs}""")
        if s.production:
            parts.append(self.POLICY)
        temporary = self.folder / "new"
        temporary.write_text("---\n".join(parts))
        temporary.replace(self.manifests / "bench.yaml")

    def gateway(self):
        listener, secret = "name: front, protocol: HTTP", ""
        if self.scenario.tls:
            certificate, key, _ = self.certificate()
            listener = "name: front, protocol: HTTPS, tls: {certificateRefs: [{name: bench}]}"
            secret = f"""---
apiVersion: v1
kind: Secret
metadata:
  name: bench
  annotations: {{sluice.dev/cert-file: {certificate}, sluice.dev/key-file: {key}}}
type: kubernetes.io/tls
data: {{tls.crt: "", tls.key: ""}}
"""
        return f"""apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: bench{", annotations: {sluice.dev/group: by-name}" if self.scenario.group else ""}}}
spec:
  gatewayClassName: sluice
  addresses: [{{type: IPAddress, value: 127.0.0.1}}]
  listeners: [{{{listener}, port: {self.port}}}]
{secret}"""


class SluiceLog(Sluice):
    name = "sluice-log"

    @property
    def log(self):
        return "text"


ALL = {kind.name: kind for kind in (Sluice, Nginx, HAProxy, Envoy, SluiceLog, NginxEqual, HAProxyEqual)}
