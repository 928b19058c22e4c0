package media

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// S3Options says where a bucket is. Everything but Region and Prefix is required.
type S3Options struct {
	Endpoint  string // host:port
	Insecure  bool   // plain HTTP, for a server on this machine only
	Region    string // default us-east-1
	Bucket    string
	Prefix    string // put before every key, e.g. "nightlight/"
	AccessKey string
	SecretKey string
}

// S3 is a Store in a bucket of any S3 server. Objects are created with
// If-None-Match, so that none is ever overwritten; their SHA-256 is kept as
// metadata and checked here on reading, whatever the server checks itself.
type S3 struct {
	client *minio.Client
	bucket string
	prefix string
}

const sumMeta = "X-Amz-Meta-Sha256"

// OpenS3 connects to a bucket, which it makes when the server has none of the name.
func OpenS3(ctx context.Context, o S3Options) (*S3, error) {
	if o.Endpoint == "" || o.Bucket == "" || o.AccessKey == "" || o.SecretKey == "" {
		return nil, errors.New("open bucket: endpoint, bucket and both keys are needed")
	}
	def2(&o.Region, "us-east-1")
	client, err := minio.New(o.Endpoint, &minio.Options{
		Creds:           credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""),
		Secure:          !o.Insecure,
		Region:          o.Region,
		BucketLookup:    minio.BucketLookupPath,
		TrailingHeaders: false, // servers were seen to store the chunk signatures with the content
	})
	if err != nil {
		return nil, fmt.Errorf("open bucket: %w", err)
	}
	s := &S3{client: client, bucket: o.Bucket, prefix: o.Prefix}
	there, err := client.BucketExists(ctx, o.Bucket)
	if err == nil && !there {
		err = client.MakeBucket(ctx, o.Bucket, minio.MakeBucketOptions{Region: o.Region})
		if code := minio.ToErrorResponse(err).Code; code == "BucketAlreadyOwnedByYou" {
			err = nil // another process was quicker
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open bucket: %w", err)
	}
	return s, nil
}

func def2(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

// Put implements Store. The content goes up in one request, at most 5 GiB.
func (s *S3) Put(ctx context.Context, key string, r io.Reader, size int64, sum string) error {
	if err := errors.Join(checkKey(key), checkSum(sum)); err != nil {
		return fmt.Errorf("put object: %w", err)
	}
	v := verify(r, size, sum)
	opts := minio.PutObjectOptions{DisableMultipart: true, ContentType: "application/octet-stream"}
	if sum != "" {
		opts.UserMetadata = map[string]string{"sha256": sum}
	}
	opts.SetMatchETagExcept("*")
	_, err := s.client.PutObject(ctx, s.bucket, s.prefix+key, v, size, opts)
	if v.bad != nil && v.bad != io.EOF {
		err = v.bad
	} else if err == nil && v.bad == nil { // the client may stop at size bytes
		if v.bad = v.finish(); v.bad != io.EOF {
			err = v.bad
			_ = s.client.RemoveObject(context.WithoutCancel(ctx), s.bucket, s.prefix+key, minio.RemoveObjectOptions{}) // it must not stay; the sweep takes what does
		}
	}
	if err != nil {
		return fmt.Errorf("put object: %w", translate(err))
	}
	return nil
}

// Get implements Store.
func (s *S3) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := checkKey(key); err != nil {
		return nil, fmt.Errorf("get object: %w", err)
	}
	o, err := s.client.GetObject(ctx, s.bucket, s.prefix+key, minio.GetObjectOptions{})
	if err != nil {
		return nil, fmt.Errorf("get object: %w", translate(err))
	}
	info, err := o.Stat()
	if err != nil {
		_ = o.Close() // nothing was read
		return nil, fmt.Errorf("get object: %w", translate(err))
	}
	sum := info.Metadata.Get(sumMeta)
	if err := checkSum(sum); err != nil {
		_ = o.Close() // nothing was read
		return nil, fmt.Errorf("get object: %w", err)
	}
	return readCloser{verify(o, info.Size, sum), o}, nil
}

// Stat implements Store.
func (s *S3) Stat(ctx context.Context, key string) (Object, error) {
	if err := checkKey(key); err != nil {
		return Object{}, fmt.Errorf("stat object: %w", err)
	}
	info, err := s.client.StatObject(ctx, s.bucket, s.prefix+key, minio.StatObjectOptions{})
	if err != nil {
		return Object{}, fmt.Errorf("stat object: %w", translate(err))
	}
	return Object{Key: key, Size: info.Size, SHA256: info.Metadata.Get(sumMeta), Modified: info.LastModified.UTC()}, nil
}

// Delete implements Store.
func (s *S3) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return fmt.Errorf("delete object: %w", err)
	}
	err := translate(s.client.RemoveObject(ctx, s.bucket, s.prefix+key, minio.RemoveObjectOptions{}))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("delete object: %w", err)
	}
	return nil
}

// PresignPut implements Store. Type, size, hash and create-only are signed, so
// the server refuses an upload that differs in any.
func (s *S3) PresignPut(ctx context.Context, key, contentType string, size int64, sum string, expiry time.Duration) (Upload, bool, error) {
	if err := errors.Join(checkKey(key), checkSum(sum)); err != nil {
		return Upload{}, false, fmt.Errorf("presign upload: %w", err)
	}
	raw, err := hex.DecodeString(sum)
	if err != nil || len(raw) == 0 || size < 0 {
		return Upload{}, false, errors.New("presign upload: size and SHA-256 are needed")
	}
	headers := map[string]string{
		"Content-Type":          contentType,
		"Content-Length":        strconv.FormatInt(size, 10),
		"If-None-Match":         "*",
		"X-Amz-Checksum-Sha256": base64.StdEncoding.EncodeToString(raw),
		sumMeta:                 sum,
	}
	signed := http.Header{}
	for k, v := range headers {
		signed.Set(k, v)
	}
	u, err := s.client.PresignHeader(ctx, http.MethodPut, s.bucket, s.prefix+key, expiry, url.Values{}, signed)
	if err != nil {
		return Upload{}, false, fmt.Errorf("presign upload: %w", err)
	}
	return Upload{URL: u.String(), Method: http.MethodPut, Headers: headers, Expires: time.Now().Add(expiry).UTC()}, true, nil
}

// List implements Store.
func (s *S3) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		for o := range s.client.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true}) {
			if o.Err != nil {
				yield(Object{}, fmt.Errorf("list objects: %w", translate(o.Err)))
				return
			}
			if !yield(Object{Key: strings.TrimPrefix(o.Key, s.prefix), Size: o.Size, Modified: o.LastModified.UTC()}, nil) {
				return
			}
		}
	}
}

// translate gives the package's sentinels for the server's answers that callers
// act on.
func translate(err error) error {
	if err == nil {
		return nil
	}
	switch re := minio.ToErrorResponse(err); {
	case re.Code == "NoSuchKey" || re.Code == "NotFound" || re.Code == "NoSuchBucket" || re.StatusCode == http.StatusNotFound:
		return ErrNotFound
	case re.Code == "PreconditionFailed" || re.StatusCode == http.StatusPreconditionFailed:
		return ErrExists
	}
	return err
}
