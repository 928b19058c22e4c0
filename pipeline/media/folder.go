package media

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"strings"
	"time"
)

// Folder is a Store in a directory. Each object is one file that begins with 48
// bytes of ours (four letters, four bytes of flags, size, SHA-256), so that an
// object and its hash appear in one rename. Files are synced before the rename
// and directories after it. All access goes through os.Root: neither a key nor a
// planted link leads out of the directory.
type Folder struct {
	root *os.Root
}

const (
	folderMagic  = "NLo1"
	folderHeader = 48
	folderTemp   = ".part-"
)

// OpenFolder makes the directory, when it is missing, readable by its owner only.
func OpenFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make media folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open media folder: %w", err)
	}
	return &Folder{root: root}, nil
}

// Close lets go of the directory.
func (f *Folder) Close() error { return f.root.Close() }

// Put implements Store.
func (f *Folder) Put(ctx context.Context, key string, r io.Reader, size int64, sum string) (err error) {
	if err := errors.Join(checkKey(key), checkSum(sum), ctx.Err()); err != nil {
		return fmt.Errorf("put object: %w", err)
	}
	if _, err := f.root.Lstat(key); err == nil {
		return fmt.Errorf("put object: %w", ErrExists)
	}
	dir := path.Dir(key)
	if err := f.mkdir(dir); err != nil {
		return fmt.Errorf("put object: %w", err)
	}
	temp := path.Join(dir, folderTemp+randomName())
	defer func() { _ = f.root.Remove(temp) }() // gone already after the link
	if err := f.write(ctx, temp, r, size, sum); err != nil {
		return fmt.Errorf("put object: %w", err)
	}
	// A link, unlike a rename, fails when the name is taken: two writers, one object.
	if err := f.root.Link(temp, key); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("put object: %w", ErrExists)
	} else if err != nil {
		return fmt.Errorf("put object: %w", err)
	}
	return f.sync(dir)
}

func (f *Folder) write(ctx context.Context, temp string, r io.Reader, size int64, sum string) (err error) {
	file, err := f.root.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	v := verify(r, size, sum)
	if _, err := file.Seek(folderHeader, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(file, contextReader{ctx, v}); err != nil {
		return err
	}
	head := append(make([]byte, 0, folderHeader), folderMagic...)
	head = binary.LittleEndian.AppendUint32(head, 0)
	head = binary.LittleEndian.AppendUint64(head, uint64(size))
	head = v.hash.Sum(head)
	if _, err := file.WriteAt(head, 0); err != nil {
		return err
	}
	return file.Sync()
}

// mkdir makes a directory and those above it, and syncs each that got a new one.
func (f *Folder) mkdir(dir string) error {
	if dir == "." {
		return nil
	}
	if _, err := f.root.Stat(dir); err == nil {
		return nil
	}
	if err := f.mkdir(path.Dir(dir)); err != nil {
		return err
	}
	if err := f.root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return f.sync(path.Dir(dir))
}

func (f *Folder) sync(dir string) error {
	d, err := f.root.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}

// Get implements Store.
func (f *Folder) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := errors.Join(checkKey(key), ctx.Err()); err != nil {
		return nil, fmt.Errorf("get object: %w", err)
	}
	file, o, err := f.open(key)
	if err != nil {
		return nil, fmt.Errorf("get object: %w", err)
	}
	return readCloser{contextReader{ctx, verify(file, o.Size, o.SHA256)}, file}, nil
}

func (f *Folder) open(key string) (*os.File, Object, error) {
	file, err := f.root.Open(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Object{}, ErrNotFound
	}
	if err != nil {
		return nil, Object{}, err
	}
	var head [folderHeader]byte
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		_ = file.Close() // only read
		return nil, Object{}, ErrNotFound
	}
	if err == nil {
		_, err = io.ReadFull(file, head[:])
	}
	if err != nil || string(head[:4]) != folderMagic {
		_ = file.Close() // only read
		return nil, Object{}, fmt.Errorf("header of object: %w", ErrHashMismatch)
	}
	return file, Object{
		Key: key, Size: int64(binary.LittleEndian.Uint64(head[8:])),
		SHA256: hex.EncodeToString(head[16:]), Modified: info.ModTime().UTC(),
	}, nil
}

// Stat implements Store.
func (f *Folder) Stat(ctx context.Context, key string) (Object, error) {
	if err := errors.Join(checkKey(key), ctx.Err()); err != nil {
		return Object{}, fmt.Errorf("stat object: %w", err)
	}
	file, o, err := f.open(key)
	if err != nil {
		return Object{}, fmt.Errorf("stat object: %w", err)
	}
	return o, file.Close()
}

// Delete implements Store.
func (f *Folder) Delete(ctx context.Context, key string) error {
	if err := errors.Join(checkKey(key), ctx.Err()); err != nil {
		return fmt.Errorf("delete object: %w", err)
	}
	err := f.root.Remove(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete object: %w", err)
	}
	return f.sync(path.Dir(key))
}

// PresignPut implements Store: a folder cannot be written to from outside.
func (f *Folder) PresignPut(context.Context, string, string, int64, string, time.Duration) (Upload, bool, error) {
	return Upload{}, false, nil
}

// List implements Store.
func (f *Folder) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		err := fs.WalkDir(f.root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
			if err != nil || ctx.Err() != nil {
				return errors.Join(err, ctx.Err())
			}
			if d.IsDir() {
				if p != "." && !strings.HasPrefix(p+"/", prefix) && !strings.HasPrefix(prefix, p+"/") {
					return fs.SkipDir
				}
				return nil
			}
			if !strings.HasPrefix(p, prefix) || strings.HasPrefix(d.Name(), ".") {
				return nil
			}
			o, err := f.Stat(ctx, p)
			if errors.Is(err, ErrNotFound) {
				return nil // deleted meanwhile
			}
			if !yield(o, err) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(Object{}, fmt.Errorf("list objects: %w", err))
		}
	}
}

// contextReader stops when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

type readCloser struct {
	io.Reader
	io.Closer
}
