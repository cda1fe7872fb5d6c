package grpcweb

// Form is the coding of a body.
type Form uint8

const (
	None   Form = iota // not gRPC-Web
	Binary             // the frames themselves
	Text               // the frames in base64
)

const (
	typeNative = "application/grpc"
	typeBinary = "application/grpc-web"
	typeText   = "application/grpc-web-text"
	// typeBase64 names the one encoding that the text form has.
	typeBase64 = "application/grpc-web-text-base64"
)

// Parse reads a media type. suffix is the rest after its name, the message format and parameters, such
// as "+proto" or ";charset=utf-8"; it aliases mediaType.
//
// hot: runs per gRPC request; no alloc, no lock.
func Parse(mediaType []byte) (f Form, suffix []byte) {
	switch {
	case named(mediaType, typeBinary):
		return Binary, mediaType[len(typeBinary):]
	case named(mediaType, typeText):
		return Text, mediaType[len(typeText):]
	case named(mediaType, typeBase64):
		return Text, mediaType[len(typeBase64):]
	}
	return None, nil
}

// Native returns the suffix of gRPC's own media type, and whether mediaType is one.
func Native(mediaType []byte) (suffix []byte, ok bool) {
	if named(mediaType, typeNative) {
		return mediaType[len(typeNative):], true
	}
	return nil, false
}

// named reports whether name is the whole name of a media type, but for a message format.
func named(mediaType []byte, name string) bool {
	if len(mediaType) < len(name) || string(mediaType[:len(name)]) != name {
		return false
	}
	if len(mediaType) == len(name) {
		return true
	}
	switch mediaType[len(name)] {
	case '+', ';', ' ', '\t':
		return true
	}
	return false
}

// AppendNative appends gRPC's own media type with that suffix.
func AppendNative(dst, suffix []byte) []byte {
	return append(append(dst, typeNative...), suffix...)
}

// AppendType appends the media type of f with that suffix.
func (f Form) AppendType(dst, suffix []byte) []byte {
	name := typeBinary
	if f == Text {
		name = typeText
	}
	return append(append(dst, name...), suffix...)
}
