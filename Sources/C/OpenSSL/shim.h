// OpenSSL for the room TLS: the headers, and as functions the macros that Swift cannot import.
#pragma once
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <openssl/x509_vfy.h>

// What every one of our contexts has, whatever its settings say.
static inline void sluice_ctx_base_options(SSL_CTX *ctx) {
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_clear_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_ENABLE_KTLS);
  SSL_CTX_set_read_ahead(ctx, 0);
}
// For tests: what a client of somebody else's may do.
static inline void sluice_pad(SSL *ssl, size_t block) { SSL_set_block_padding(ssl, block); }
static inline void sluice_allow_renegotiation(SSL *ssl) { SSL_clear_options(ssl, SSL_OP_NO_RENEGOTIATION); }
static inline void sluice_ctx_no_tickets(SSL_CTX *ctx) { SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET); }
static inline int sluice_ctx_min_version(SSL_CTX *ctx, int version) {
  return (int)SSL_CTX_set_min_proto_version(ctx, version);
}
static inline int sluice_ctx_max_version(SSL_CTX *ctx, int version) {
  return (int)SSL_CTX_set_max_proto_version(ctx, version);
}
static inline int sluice_ctx_groups(SSL_CTX *ctx, const char *names) {
  return (int)SSL_CTX_set1_groups_list(ctx, names);
}
static inline int sluice_ctx_signatures(SSL_CTX *ctx, const char *names) {
  return (int)SSL_CTX_set1_sigalgs_list(ctx, names);
}
static inline void sluice_ctx_session_cache(SSL_CTX *ctx, int mode) { SSL_CTX_set_session_cache_mode(ctx, mode); }
static inline int sluice_ctx_ticket_keys(
    SSL_CTX *ctx, int (*callback)(SSL *, unsigned char *, unsigned char *, EVP_CIPHER_CTX *, EVP_MAC_CTX *, int)) {
  return SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, callback);
}
static inline void sluice_ctx_status(SSL_CTX *ctx, int (*callback)(SSL *, void *), void *argument) {
  SSL_CTX_set_tlsext_status_cb(ctx, callback);
  SSL_CTX_set_tlsext_status_arg(ctx, argument);
}
// A copy goes to the handshake, which frees it.
static inline int sluice_staple(SSL *ssl, const unsigned char *octets, int count) {
  unsigned char *copy = OPENSSL_memdup(octets, (size_t)count);
  if (copy == NULL) return 0;
  return (int)SSL_set_tlsext_status_ocsp_resp(ssl, copy, count);
}
static inline void sluice_ask_for_staple(SSL *ssl) { SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp); }
static inline long sluice_received_staple(SSL *ssl, const unsigned char **octets) {
  return SSL_get_tlsext_status_ocsp_resp(ssl, octets);
}
// One certificate with its intermediates; 1 on success.
static inline int sluice_ctx_certificate(SSL_CTX *ctx, X509 *leaf, EVP_PKEY *key, STACK_OF(X509) *chain) {
  return SSL_CTX_use_cert_and_key(ctx, leaf, key, chain, 1);
}
static inline int sluice_server_name(SSL *ssl, const char *name) { return (int)SSL_set_tlsext_host_name(ssl, name); }

static inline STACK_OF(X509) *sluice_new_chain(void) { return sk_X509_new_null(); }
static inline int sluice_push(STACK_OF(X509) *chain, X509 *certificate) { return sk_X509_push(chain, certificate); }
static inline void sluice_free_chain(STACK_OF(X509) *chain) { sk_X509_pop_free(chain, X509_free); }
static inline int sluice_chain_count(const STACK_OF(X509) *chain) { return chain == NULL ? 0 : sk_X509_num(chain); }
static inline X509 *sluice_chain_at(const STACK_OF(X509) *chain, int index) { return sk_X509_value(chain, index); }

// The kind of a general name, and its octets where it is a plain text or an address.
static inline int sluice_names_count(const GENERAL_NAMES *names) {
  return names == NULL ? 0 : sk_GENERAL_NAME_num(names);
}
static inline const GENERAL_NAME *sluice_names_at(const GENERAL_NAMES *names, int index) {
  return sk_GENERAL_NAME_value(names, index);
}
static inline int sluice_general_name(const GENERAL_NAME *name, const unsigned char **octets, int *count) {
  *octets = NULL;
  *count = 0;
  int type;
  const void *value = GENERAL_NAME_get0_value(name, &type);
  const ASN1_STRING *text = NULL;
  if (type == GEN_DNS || type == GEN_EMAIL || type == GEN_URI || type == GEN_IPADD) {
    text = (const ASN1_STRING *)value;
  } else if (type == GEN_OTHERNAME) {
    const OTHERNAME *other = (const OTHERNAME *)value;
    int kind = other->value == NULL ? -1 : other->value->type;
    if (kind == V_ASN1_UTF8STRING || kind == V_ASN1_IA5STRING || kind == V_ASN1_PRINTABLESTRING ||
        kind == V_ASN1_OCTET_STRING)
      text = other->value->value.asn1_string;
  }
  if (text != NULL) {
    *octets = ASN1_STRING_get0_data(text);
    *count = ASN1_STRING_length(text);
  }
  return type;
}
// The dotted number of an otherName's kind; its length, 0 when it is none.
static inline int sluice_other_name_kind(const GENERAL_NAME *name, char *room, int size) {
  int type;
  const void *value = GENERAL_NAME_get0_value(name, &type);
  if (type != GEN_OTHERNAME) return 0;
  return OBJ_obj2txt(room, size, ((const OTHERNAME *)value)->type_id, 1);
}

static inline const EVP_MD *sluice_digest(int number) { return EVP_get_digestbynid(number); }
static inline void sluice_print_name(BIO *out, const X509_NAME *name) {
  X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253);
}
static inline long sluice_memory_octets(BIO *memory, char **octets) { return BIO_get_mem_data(memory, octets); }
static inline void sluice_free(void *memory) { OPENSSL_free(memory); }
static inline int sluice_error_reason(unsigned long code) { return ERR_GET_REASON(code); }
static inline int sluice_error_library(unsigned long code) { return ERR_GET_LIB(code); }
static inline int sluice_is_tls13(const SSL_SESSION *session) {
  return SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION;
}
// Sets a MAC up as OpenSSL's ticket interface wants it: HMAC with SHA-256. 1 on success.
static inline int sluice_ticket_mac(EVP_MAC_CTX *mac, unsigned char *key, size_t count) {
  OSSL_PARAM parameters[3];
  parameters[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key, count);
  parameters[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0);
  parameters[2] = OSSL_PARAM_construct_end();
  return EVP_MAC_CTX_set_params(mac, parameters);
}
// A new key on P-256.
static inline EVP_PKEY *sluice_new_key(void) { return EVP_EC_gen("P-256"); }
// 159 random bits: positive, and at most 20 octets (RFC 5280, section 4.1.2.2).
static inline int sluice_random_serial(X509 *certificate) {
  BIGNUM *number = BN_new();
  if (number == NULL) return 0;
  int done = BN_rand(number, 159, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
             BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
  BN_free(number);
  return done;
}
// An extension by its text in OpenSSL's configuration language. 1 on success.
static inline int sluice_add_extension(X509 *certificate, X509 *issuer, int nid, const char *value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
  X509V3_set_ctx_nodb(&context);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
  if (extension == NULL) return 0;
  int done = X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  return done;
}
