use jose::{Curve, PublicKey};

use super::kit::{Kit, MadeUnits, TestUnit, digest, during, ensure};
use super::{Check, Outcome};
use crate::{KeyName, KeyUse, MacPurpose, RootState, SealPurpose, Wscd};

/// What the kit leaves in a device before it is restarted, and looks for after.
///
/// A backend's tests do: leave marks, close the device (better: kill its
/// process), open it, and [`Marks::check`].
pub struct Marks {
    test: TestUnit,
    named: PublicKey,
    name: KeyName,
    mac: [u8; 32],
    sealed: Vec<u8>,
    root: RootState,
}

impl Marks {
    /// Leaves a unit with a key, a named key and a sealed secret.
    pub async fn leave(device: &dyn Wscd) -> Result<Self, String> {
        let made = MadeUnits::default();
        let test = Kit::new(device, &made).unit(1).await?;
        let name = KeyName::new("conformance-kit.restart").map_err(|error| error.to_string())?;
        Ok(Self {
            test,
            named: device
                .named_key(&name, Curve::P256, KeyUse::Sign)
                .await
                .map_err(during("named_key"))?,
            name,
            mac: device
                .mac(MacPurpose::RecordBinding, b"restart")
                .await
                .map_err(during("mac"))?,
            sealed: device
                .seal(SealPurpose::ServiceSecret, b"restart", b"secret")
                .await
                .map_err(during("seal"))?,
            root: device.root().await.map_err(during("root"))?,
        })
    }

    /// Looks for them in the device as it came back, and takes them away.
    pub async fn check(&self, device: &dyn Wscd) -> Check {
        row(match self.look(device).await {
            Ok(()) => Outcome::Passed,
            Err(evidence) => Outcome::Failed(evidence),
        })
    }

    /// The check where [`Marks::leave`] failed.
    pub fn not_left(evidence: String) -> Check {
        row(Outcome::Failed(evidence))
    }

    async fn look(&self, device: &dyn Wscd) -> Result<(), String> {
        let made = MadeUnits::default();
        let kit = Kit::new(device, &made);
        let root = device.root().await.map_err(during("root"))?;
        ensure(root == self.root, format!("the root is {root:?} now"))?;
        kit.signs(&self.test.unit, &self.test.unit_key, self.test.key(0)?)
            .await?;
        let signature = device
            .sign_named(&self.name, &digest(Curve::P256, b"restart"))
            .await
            .map_err(during("sign_named"))?;
        ensure(
            self.named.verify(b"restart", &signature).is_ok(),
            "a named key is another one now",
        )?;
        let mac = device
            .mac(MacPurpose::RecordBinding, b"restart")
            .await
            .map_err(during("mac"))?;
        ensure(mac == self.mac, "a MAC key is another one now")?;
        let secret = device
            .open(SealPurpose::ServiceSecret, b"restart", &self.sealed)
            .await
            .map_err(during("open"))?;
        ensure(*secret == b"secret", "a secret came back changed")?;
        device
            .destroy_unit(&self.test.unit, &self.test.unit_key)
            .await
            .map_err(during("destroy_unit"))?;
        device
            .destroy_named(&self.name)
            .await
            .map_err(during("destroy_named"))
    }
}

fn row(result: Outcome) -> Check {
    Check {
        id: "WSCD-RESTART",
        requirement: "CIR (EU) 2024/2979 Art. 5(1)(f)",
        says: "a restart loses no key and no secret",
        mandatory: true,
        result,
    }
}

impl std::fmt::Debug for Marks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Marks(unit {})", self.test.unit)
    }
}
