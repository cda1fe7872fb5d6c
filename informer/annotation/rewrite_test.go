package annotation

func init() {
	examples = append(examples, []example{
		{"rewrite-target", "/", "/"},
		{"rewrite-target", "/a/b-._~:c", "/a/b-._~:c"},
		{"rewrite-target", "/$1", refused},
		{"rewrite-target", "/x?y=1", refused},
		{"rewrite-target", "/x;y", refused},
		{"rewrite-target", "/x y", refused},
		{"rewrite-target", "/x\r\n", refused},
		{"rewrite-target", "/é", refused},
		{"rewrite-target", "x", refused},
		{"rewrite-target", "https://a.test/", refused},
		{"rewrite-target", "", refused},
	}...)
}
