// A picture for tests.

/// A small picture.
enum TestImage {
  /// One red pixel as PNG.
  static let base64 =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
  static let dataURL = "data:image/png;base64," + base64
}
