//! Files of lists, read within limits.

use std::path::Path;

use tokio::io::AsyncReadExt;

/// Reads a regular file of at most `max` bytes.
pub(crate) async fn read_file(path: &Path, max: usize) -> Result<Vec<u8>, String> {
    let told = |e: std::io::Error| e.to_string();
    let file = tokio::fs::File::open(path).await.map_err(told)?;
    if !file.metadata().await.map_err(told)?.is_file() {
        return Err("not a file".to_owned());
    }
    let one_more = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    file.take(one_more)
        .read_to_end(&mut bytes)
        .await
        .map_err(told)?;
    if bytes.len() > max {
        return Err(format!("more than {max} bytes"));
    }
    Ok(bytes)
}
