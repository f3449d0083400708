//! A CA, an OCSP responder and CRLs of OpenSSL's, run as its commands.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use pki::Certificate;

/// Whether the `openssl` command is there.
pub fn has_openssl() -> bool {
    Command::new("openssl")
        .arg("version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A folder with a CA in it.
pub struct OpensslCa {
    folder: tempfile::TempDir,
}

/// Where a leaf says that its revocation is told.
#[derive(Default)]
pub struct Told {
    pub ocsp: Option<String>,
    pub crl: Option<String>,
}

const CONFIG: &str = r#"
[req]
distinguished_name = dn
[dn]
[ca]
default_ca = own
[own]
database = index.txt
serial = serial
crlnumber = crlnumber
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_days = 20
default_crl_days = 2
policy = anything
unique_subject = no
email_in_dn = no
[anything]
countryName = optional
organizationName = optional
organizationIdentifier = optional
commonName = optional
[v3_ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[responder]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = OCSPSigning
noCheck = ignored
authorityKeyIdentifier = keyid
[no_purpose]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
authorityKeyIdentifier = keyid
"#;

impl OpensslCa {
    pub fn new(name: &str) -> Self {
        let ca = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        ca.write("openssl.cnf", CONFIG);
        ca.write("index.txt", "");
        ca.write("serial", "1000\n");
        ca.write("crlnumber", "01\n");
        ca.key("ca");
        ca.run(&format!(
            "req -x509 -new -key ca.key -sha256 -days 30 -config openssl.cnf -extensions v3_ca -out ca.pem -subj /C=DE/O={name}/CN={name}"
        ));
        ca
    }

    pub fn certificate(&self) -> Certificate {
        self.read("ca.pem")
    }

    /// A wallet provider's leaf, entered in the CA's book.
    pub fn leaf(&self, name: &str, told: &Told) -> Certificate {
        self.request(name, told);
        self.run(&format!(
            "ca -batch -notext -config openssl.cnf -in {name}.csr -out {name}.pem -extfile {name}.ext"
        ));
        self.read(&format!("{name}.pem"))
    }

    /// One that the book does not know.
    pub fn leaf_beside_the_book(&self, name: &str, told: &Told) -> Certificate {
        self.request(name, told);
        self.run(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -set_serial 0x7777 -days 20 -sha256 -out {name}.pem -extfile {name}.ext"
        ));
        self.read(&format!("{name}.pem"))
    }

    /// A key with a certificate of this CA for OCSP, or for nothing.
    pub fn signer(&self, name: &str, extensions: &str) {
        self.key(name);
        self.run(&format!(
            "req -new -key {name}.key -config openssl.cnf -out {name}.csr -subj /C=DE/O=Responder/CN={name}"
        ));
        self.run(&format!(
            "ca -batch -notext -config openssl.cnf -in {name}.csr -out {name}.pem -extensions {extensions}"
        ));
    }

    pub fn revoke(&self, name: &str) {
        self.run(&format!(
            "ca -config openssl.cnf -revoke {name}.pem -crl_reason keyCompromise"
        ));
    }

    /// The CRL as of now, DER.
    pub fn crl(&self) -> Vec<u8> {
        self.run("ca -config openssl.cnf -gencrl -out crl.pem");
        self.run("crl -in crl.pem -outform DER -out crl.der");
        std::fs::read(self.path("crl.der")).unwrap()
    }

    /// `openssl ocsp` on a port, signing as `signer` of the CA `whose`.
    pub fn responder(&self, port: u16, whose: &OpensslCa, signer: &str) -> OpensslResponder {
        let path = |file: &str| whose.path(file).display().to_string();
        let mut child = Command::new("openssl");
        child
            .args(["ocsp", "-index", "index.txt", "-CA", "ca.pem"])
            .args(["-rsigner", &path(&format!("{signer}.pem"))])
            .args(["-rkey", &path(&format!("{signer}.key"))])
            .args(["-port", &port.to_string(), "-nmin", "60"])
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        // It serves one at a time: to look whether it listens would keep it waiting.
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let waits = |line: std::io::Result<String>| line.unwrap().contains("waiting");
        assert!(lines.by_ref().any(waits), "no responder");
        std::thread::spawn(move || lines.for_each(drop));
        OpensslResponder(child)
    }

    fn request(&self, name: &str, told: &Told) {
        self.key(name);
        self.run(&format!(
            "req -new -key {name}.key -config openssl.cnf -out {name}.csr -subj /C=DE/O=Example_Provider_GmbH/organizationIdentifier={}/CN={name}",
            super::REGISTRATION
        ));
        let mut extensions = String::from(
            "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n1.3.6.1.5.5.7.1.3=ASN1:SEQUENCE:statements\n",
        );
        if let Some(url) = &told.ocsp {
            extensions.push_str(&format!("authorityInfoAccess=OCSP;URI:{url}\n"));
        }
        if let Some(url) = &told.crl {
            extensions.push_str(&format!("crlDistributionPoints=URI:{url}\n"));
        }
        extensions.push_str("[statements]\none=SEQUENCE:type\n[type]\nid=OID:0.4.0.1862.1.6\nvalues=SEQUENCE:values\n[values]\nwallet=OID:0.4.0.194126.1.2\n");
        self.write(&format!("{name}.ext"), &extensions);
    }

    fn key(&self, name: &str) {
        self.run(&format!(
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key"
        ));
    }

    /// Words are separated by spaces; `_` stands for a space within one.
    fn run(&self, words: &str) {
        let words = words.split(' ').map(|word| match word.starts_with("/C=") {
            true => word.replace('_', " "),
            false => word.to_owned(),
        });
        let output = Command::new("openssl")
            .args(words)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn read(&self, name: &str) -> Certificate {
        let pem = std::fs::read(self.path(name)).unwrap();
        pki::read_chain(&pem).unwrap().remove(0)
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Runs until it is dropped.
pub struct OpensslResponder(Child);

impl Drop for OpensslResponder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
