// Why an image that a client has sent or named cannot be used.

/// Why an image cannot be had.
enum ImageFailure: Error, Equatable {
  case refused(String)
  case tooLarge
  /// All images of the request together.
  case tooMany
  case overloaded
  /// As many images as may wait are waiting.
  case noPlace
  /// The client has left.
  case abandoned
}
