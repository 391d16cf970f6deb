package sqlstore_test

import "os"

const childEnv = "SQLSTORE_TEST_CHILD"

func child() { os.Exit(3) }
