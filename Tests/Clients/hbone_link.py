"""TLS with a workload's certificate, for programs that speak HBONE: HTTP/2 CONNECT inside of mutual TLS."""

import ssl


def context(server, cert, key, ca):
    """Settings of one side; names are not looked at, since whom a certificate is for says its URI."""
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    settings.minimum_version = ssl.TLSVersion.TLSv1_2
    settings.check_hostname = False
    if cert:
        settings.load_cert_chain(cert, key)
    settings.load_verify_locations(ca)
    settings.verify_mode = ssl.CERT_REQUIRED
    settings.set_alpn_protocols(["h2"])
    return settings


def identity(link):
    """The URIs of the peer's certificate."""
    names = link.getpeercert().get("subjectAltName", ())
    return " ".join(value for kind, value in names if kind == "URI") or "-"


def serial(link):
    return link.getpeercert().get("serialNumber", "-")
