package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the pgx driver for database/sql
)

// running is a server, and the pipe whose end stops it: while somebody holds
// it, it is not collected and closed.
type running struct {
	dsn  string
	pipe io.WriteCloser
}

// server is the PostgreSQL of this test process; it ends with the process.
var server = sync.OnceValues(startServer)

// errAbsent means that this machine has no PostgreSQL that we could start.
var errAbsent = errors.New("no PostgreSQL in /usr/lib/postgresql/*/bin and no NIGHTLIGHT_TEST_POSTGRES")

// StartPostgres returns the dsn of a fresh, empty database in a natural locale. The server is that of
// NIGHTLIGHT_TEST_POSTGRES (15 or newer, with ICU), or one that the first call starts for this process.
func StartPostgres(t testing.TB) string {
	t.Helper()
	base := os.Getenv("NIGHTLIGHT_TEST_POSTGRES")
	if base == "" {
		r, err := server()
		if errors.Is(err, errAbsent) {
			missing(t, err.Error())
		}
		if err != nil {
			t.Fatalf("start PostgreSQL: %v", err)
		}
		base = r.dsn
	}
	var b [8]byte
	rand.Read(b[:])
	name := "nl_" + hex.EncodeToString(b[:])
	admin(t, base, fmt.Sprintf(natural, name))
	if os.Getenv("NIGHTLIGHT_TEST_POSTGRES") != "" { // ours goes with its server
		t.Cleanup(func() { admin(t, base, "DROP DATABASE "+name+" WITH (FORCE)") })
	}
	u, err := url.Parse(base)
	if err != nil {
		t.Fatalf("read the dsn of PostgreSQL: %v", err)
	}
	u.Path = "/" + name
	return u.String()
}

// natural orders text by the rules of a language, as most databases in use do:
// there "_" and "~" stand before the letters. LOCALE is the bytes' own, so that
// the machine needs no locale installed.
const natural = "CREATE DATABASE %s TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"

func admin(t testing.TB, dsn, statement string) {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// startServer runs initdb and postgres in a folder of its own. A shell that
// waits for our end of a pipe stops the server by its pid and removes the
// folder, however this process ends.
func startServer() (*running, error) {
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(bins) == 0 {
		return nil, errAbsent
	}
	bin := bins[len(bins)-1]
	dir, err := os.MkdirTemp(commonTemp(), "nightlight-postgres-")
	if err != nil {
		return nil, err
	}
	who, err := unprivileged(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	port, err := freePort()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	init := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "db"), "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8")
	init.Dir, init.SysProcAttr = dir, who
	if out, err := init.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out)), os.RemoveAll(dir))
	}
	r := &running{dsn: fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)}
	if r.pipe, err = run(bin, dir, port, who); err != nil {
		return nil, err
	}
	return r, await(r.dsn, dir)
}

// commonTemp is the folder for temporary files, or /var/tmp where we are root and
// the user postgres could not enter that one.
func commonTemp() string {
	for dir := os.TempDir(); os.Getuid() == 0 && dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&1 == 0 {
			return "/var/tmp"
		}
	}
	return os.TempDir()
}

// keeper starts the server, and stops it when its standard input ends.
const keeper = `"$1" -D "$2/db" -c listen_addresses=127.0.0.1 -c port="$3" -c unix_socket_directories= -c fsync=on -c max_connections=200 >"$2/log" 2>&1 &
pid=$!
cat >/dev/null
kill -INT $pid
wait $pid
rm -rf "$2"`

func run(bin, dir string, port int, who *syscall.SysProcAttr) (io.WriteCloser, error) {
	// a group of its own, so that Ctrl-C reaches the tests and not the keeper
	attr := &syscall.SysProcAttr{Setpgid: true}
	if who != nil {
		attr.Credential = who.Credential
	}
	keep := exec.Command("/bin/sh", "-c", keeper, "keeper", filepath.Join(bin, "postgres"), dir, strconv.Itoa(port))
	keep.Dir, keep.SysProcAttr = dir, attr
	pipe, err := keep.StdinPipe() // nobody writes to it; its end is the message
	if err != nil {
		return nil, err
	}
	return pipe, keep.Start()
}

// unprivileged gives the folder to the user postgres when we are root, whom
// PostgreSQL refuses.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("%w: running as root without a user postgres", errAbsent)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, os.Chown(dir, uid, gid)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// await returns when the server answers.
func await(dsn, dir string) error {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		if err = db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			return fmt.Errorf("await PostgreSQL: %w: %s", err, bytes.TrimSpace(log))
		case <-time.After(20 * time.Millisecond):
		}
	}
}
