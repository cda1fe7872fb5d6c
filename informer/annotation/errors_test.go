package annotation

import "strings"

func init() {
	goodValues[customErrors] = "404"
	examples = append(examples, []example{
		{customErrors, "404,503", "404,503"},
		{customErrors, "503, 404 ,404,", "404,503"},
		{customErrors, "400,599", "400,599"},
		{customErrors, "", ""},
		{customErrors, " , ", ""},
		{customErrors, "399", closing},
		{customErrors, "600", closing},
		{customErrors, "404,x", closing},
		{customErrors, "404 503", closing},
		{customErrors, "+404", closing},
		{customErrors, "4xx", closing},
		{customErrors, "404\r\n", "404"},
		{customErrors, strings.Repeat("404,", interceptAll+1), closing},
		{"disable-proxy-intercept-errors", "true", true},
		{"disable-proxy-intercept-errors", "on", refused},
		{"default-backend", "errors", "errors"},
		{"default-backend", "other/errors", refused},
		{"default-backend", "Errors", refused},
		{"default-backend", "errors:80", refused},
		{"default-backend", "", refused},
	}...)
}
