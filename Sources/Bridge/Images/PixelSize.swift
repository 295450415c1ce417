// The size of a picture.

/// Width and height of a picture or of a frame in it, in pixels.
struct PixelSize: Equatable {
  let width: Int
  let height: Int
}
