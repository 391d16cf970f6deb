package cases

import "strings"

// HostileTargets are return targets that would leave the site, or might do so in some
// browser, proxy or framework.
var HostileTargets = []string{
	"", " ", "evil.test", "evil.test/", ".", "..", "../..", "../../evil.test", "./x", "hello", "?x=1", "#x",
	"https://evil.test", "https://evil.test/", "HTTPS://evil.test", "http://evil.test/private/", "https:evil.test",
	"https:/evil.test", "https:///evil.test", "https:\\\\evil.test", "http:evil.test", "ftp://evil.test",
	"javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x",
	"mailto:a@evil.test", "app.test:evil",
	"//evil.test", "//evil.test/%2e%2e", "///evil.test", "////evil.test", "//", "///", "//app.test@evil.test",
	"//user:pass@evil.test", "//evil.test:80", "//[::1]/", "//\tevil.test", "/\\evil.test",
	"/\\/evil.test", "\\\\evil.test",
	"\\/evil.test", "/\\\\evil.test", "/private\\..\\..\\evil", "/x\\@evil.test", "/\t/evil.test",
	"/\n/evil.test", "/\r/evil.test",
	"\t//evil.test", "\n//evil.test", " //evil.test", " https://evil.test", "\x00//evil.test",
	"/\x00/evil.test", "/x\x7fy",
	"/x\r\nSet-Cookie: a=b", "/x\r\nLocation: https://evil.test",
	"/%0d%0aLocation:%20https://evil.test", "/%0a/evil.test",
	"/%09/evil.test", "/%00", "/%2f/evil.test", "/%2fevil.test", "/%2Fevil.test", "/%5cevil.test", "/%5C/evil.test",
	"/%252fevil.test", "/%255cevil.test", "/.//evil.test", "/..//evil.test", "/%2e%2e//evil.test", "/x/..//evil.test",
	"/x/../../evil.test", "/%2e%2e/%2e%2e/evil.test", "/./", "/x/.", "/x/..", "/;//evil.test//", "/;x//evil.test",
	"/;/..;//evil.test",
	"/a/..;/evil.test", "/a/%252e%252e//evil.test", "/.;//evil.test",
	"@evil.test", "/@evil.test//..//", ":evil.test", ":80", "app.test.evil.test", "https://app.test@evil.test/",
	"https://app.test.evil.test/", "https://app.test\\@evil.test", "\u2028//evil.test",
	"\ufeff//evil.test", "〱〱evil.test",
	"/%zz", "/%", "/%2", strings.Repeat("/", 50) + "evil.test", "/" + strings.Repeat("a", 3000), "http://",
	"https://", "https:", ":",
}
