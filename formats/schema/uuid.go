package schema

// AppendUUID appends a UUID as its columns have it, in lower case; false: the text is none of the form 8-4-4-4-12 hexadecimal digits (RFC 9562), and dst
// is to be thrown away.
func AppendUUID(dst, text []byte) ([]byte, bool) {
	if len(text) != 36 {
		return dst, false
	}
	for i, c := range text {
		if c >= 'A' && c <= 'F' {
			c += 'a' - 'A'
		}
		digit := c >= '0' && c <= '9' || c >= 'a' && c <= 'f'
		if dash := i == 8 || i == 13 || i == 18 || i == 23; digit == dash || dash && c != '-' {
			return dst, false
		}
		dst = append(dst, c)
	}
	return dst, true
}
