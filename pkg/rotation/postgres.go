package rotation

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/org/connect2/v2/internal/outlive"
)

type postgres struct{ conn *pgx.Conn }

// ConnectPostgres opens a connection by URL.
func ConnectPostgres(ctx context.Context, url string) (Database, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err // pgx leaves the password out of its errors
	}
	return postgres{conn}, nil
}

func (p postgres) Close(ctx context.Context) error { return p.conn.Close(ctx) }

// Prepare does everything in one transaction: a user without the right to the tables would be worse than none.
func (p postgres) Prepare(ctx context.Context, owner, user, password string) error {
	secret, err := verifier(password)
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, p.conn, func(tx pgx.Tx) error {
		var master, database string
		if err := tx.QueryRow(ctx, "select session_user, current_database()").Scan(&master, &database); err != nil {
			return err
		}
		if err := createRole(ctx, tx, owner, "nologin"); err != nil {
			return err
		}
		if err := createRole(ctx, tx, user, "login"); err != nil {
			return err
		}
		o, u, m, d := quote(owner), quote(user), quote(master), quote(database)
		statements := []string{
			// The administrator keeps every right to what it owned until now, and tasks that work as it do not notice.
			fmt.Sprintf("grant %s to %s", o, m),
			fmt.Sprintf("grant %s to %s", o, u),
			fmt.Sprintf("grant connect, create, temporary on database %s to %s", d, o),
			fmt.Sprintf("grant usage, create on schema public to %s", o),
			// Whoever of the two connects works as the owner, so that what one makes the other can change.
			fmt.Sprintf("alter role %s in database %s set role = %s", u, d, literal(owner)),
			fmt.Sprintf("alter role %s with login password %s", u, literal(secret)),
		}
		for _, statement := range statements {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return fmt.Errorf("%s: %w", strings.Join(strings.Fields(statement)[:2], " "), err)
			}
		}
		return p.handOver(ctx, tx, master, owner)
	})
}

func createRole(ctx context.Context, tx pgx.Tx, name, kind string) error {
	var there bool
	if err := tx.QueryRow(ctx, "select exists (select from pg_roles where rolname = $1)", name).Scan(&there); err != nil {
		return err
	}
	if there {
		return nil
	}
	_, err := tx.Exec(ctx, fmt.Sprintf("create role %s with %s", quote(name), kind))
	return err
}

// handOver gives the owner role the tables, views, sequences, functions, types and schemas that the administrator has made
// in this database. Not REASSIGN OWNED: it would take along what belongs to the server. An extension's own objects stay
// with the extension.
func (p postgres) handOver(ctx context.Context, tx pgx.Tx, from, to string) error {
	// Schemas first: who is to own a table must be able to create in its schema.
	const objects = `
		select statement from (
		select 1 as rank, format('alter schema %I owner to ', n.nspname) as statement
		from pg_namespace n
		where pg_get_userbyid(n.nspowner) = $1 and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'public')
		  and not exists (select from pg_depend d where d.classid = 'pg_namespace'::regclass and d.objid = n.oid and d.deptype = 'e')
		union all
		select 2, format('alter %s %I.%I owner to ', case c.relkind when 'S' then 'sequence' when 'v' then 'view'
		              when 'm' then 'materialized view' when 'f' then 'foreign table' else 'table' end, n.nspname, c.relname)
		from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and pg_get_userbyid(c.relowner) = $1
		  and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
		  and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('e', 'a', 'i'))
		union all
		select 2, format('alter routine %s owner to ', p.oid::regprocedure)
		from pg_proc p join pg_namespace n on n.oid = p.pronamespace
		where pg_get_userbyid(p.proowner) = $1 and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
		  and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
		union all
		select 2, format('alter type %s owner to ', t.oid::regtype)
		from pg_type t join pg_namespace n on n.oid = t.typnamespace
		where t.typtype in ('e', 'd') and pg_get_userbyid(t.typowner) = $1 and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
		  and not exists (select from pg_depend d where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e')
		) all_of_them order by rank`
	rows, err := tx.Query(ctx, objects, from)
	if err != nil {
		return fmt.Errorf("list what %s owns: %w", from, err)
	}
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("list what %s owns: %w", from, err)
	}
	for _, statement := range statements {
		if _, err := tx.Exec(ctx, statement+quote(to)); err != nil {
			return fmt.Errorf("%s%s: %w", statement, to, err)
		}
	}
	return nil
}

// Try makes a table as the application's migrations would and takes it back.
func (p postgres) Try(ctx context.Context, owner string) error {
	tx, err := p.conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := outlive.Cleanup(ctx, closing)
		defer cancel()
		_ = tx.Rollback(ctx)
	}()
	var who string
	if err := tx.QueryRow(ctx, "select current_user").Scan(&who); err != nil {
		return err
	}
	if who != owner {
		return fmt.Errorf("the session works as %q, not as the owner %q", who, owner)
	}
	if _, err := tx.Exec(ctx, "create table connect2_rotation_trial (id int)"); err != nil {
		return fmt.Errorf("make a table: %w", err)
	}
	return nil
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

func literal(value string) string { return "'" + strings.ReplaceAll(value, "'", "''") + "'" }
