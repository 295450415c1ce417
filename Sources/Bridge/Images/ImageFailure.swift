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
  /// A request has more images than this.
  case moreThan(Int)
}

/// The same, and the field of the request that holds the image, or all of them.
struct ImageError: Error, Equatable {
  let failure: ImageFailure
  /// Nil if it is no single image's fault.
  let field: String?
}
