// Who asks: the owner of an API key, told apart from others without keeping the key.

internal import CCrypt

/// The holder of one of the bridge's keys. What one makes, another can neither see nor use.
struct Principal: Hashable, Sendable {
  /// Of a key, a fingerprint that may be kept in a file: 1000 rounds of SHA-256 (crypt(5), "sha256crypt"), cut to 96
  /// bits. Empty for everybody who has no key of their own.
  let name: String

  /// The person at the terminal, and whoever uses the key that everybody knows.
  static let everybody = Principal(name: "")

  /// A name that was read from a file.
  init(name: String) { self.name = name }

  /// The holder of `key`, a text of at most 512 bytes. Takes about a millisecond. Nil if the C library cannot hash it.
  init?(key: String) {
    guard key != Settings.defaultKey else {
      self = .everybody
      return
    }
    var data = crypt_data()
    // The salt is fixed so that the name is, and the rounds are few: a key is no password that could be guessed.
    let hash = withUnsafeMutablePointer(to: &data) { crypt_r(key, "$5$rounds=1000$codexbridge$", $0) }
    // A failure is told by a text that begins with a star.
    guard let hash, hash.pointee == UInt8(ascii: "$"),
      let digest = String(cString: hash).split(separator: "$").last, digest.count == 43
    else { return nil }
    name = String(digest.prefix(16))
  }
}
