//! Who the server is and whom it lets in: a certificate authority, a certificate and a token, made anew for each server.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::ServeError;

/// Names that clients may call the server by: those in the certificate of a kubeadm cluster that make sense on a loopback address.
const NAMES: [&str; 3] = ["localhost", "kubernetes", "kubernetes.default.svc"];

/// 256 bits: nobody guesses them.
const TOKEN_BYTES: usize = 32;

pub(super) struct Identity {
    /// The authority's certificate as PEM.
    pub(super) authority: String,
    pub(super) token: String,
    pub(super) acceptor: TlsAcceptor,
}

impl Identity {
    pub(super) fn new(address: IpAddr) -> Result<Self, ServeError> {
        let provider = Arc::new(ring::default_provider());
        let token = token(&provider)?;
        let (authority, config) = certificates(address, provider)?;
        Ok(Self {
            authority,
            token,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }
}

fn token(provider: &CryptoProvider) -> Result<String, ServeError> {
    let mut bytes = [0; TOKEN_BYTES];
    provider
        .secure_random
        .fill(&mut bytes)
        .map_err(|_none| ServeError::Random)?;
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    Ok(halves.filter_map(|half| char::from_digit(half.into(), 16)).collect())
}

/// The authority signs the one certificate and its key is forgotten.
fn certificates(address: IpAddr, provider: Arc<CryptoProvider>) -> Result<(String, ServerConfig), ServeError> {
    let failed = ServeError::Certificate;
    let mut params = CertificateParams::new(Vec::new()).map_err(failed)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, "steadfast-ca");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().map_err(failed)?).map_err(failed)?;

    let names = NAMES.map(str::to_owned).into_iter().chain([address.to_string()]);
    let mut params = CertificateParams::new(names.collect::<Vec<_>>()).map_err(failed)?;
    params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.signed_by(&key, &authority).map_err(failed)?;

    let chain = vec![certificate.der().clone(), authority.der().clone()];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(ServeError::Tls)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(ServeError::Tls)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((authority.pem(), config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_servers_have_the_same_token_or_authority() {
        let identity = || Identity::new(IpAddr::from([127, 0, 0, 1])).unwrap();
        let (one, other) = (identity(), identity());
        assert_eq!(one.token.len(), 64);
        assert_ne!(one.token, other.token);
        assert_ne!(one.authority, other.authority);
    }
}
